/**
 * What to answer when no plan holds: which bound stands in the way, the smallest relaxation of each bound that helps (every one found by
 * solving with that bound taken away), and the best plan there is.
 *
 * The binding constraint is the one whose relaxation is relatively smallest; `capacity` when no single relaxation helps, which is so when
 * the bounds of a stage keep it from being stable.
 */
import type { Budget, PipelineSpec } from '../../model/pipeline-spec.js';
import { type BindingConstraint, type Plan, type PlanFixes, type PlanResult, showsSloMet } from '../../model/plan.js';
import { type PlanningProblem, specOf, type VerifyPlan } from '../planning-problem.js';
import { limitsOf, resourceKinds, totalUse, useOf } from '../problem/resource-use.js';
import { largestCapacityPlan } from './largest-capacity.js';
import { relaxationBound } from './relaxation.js';
import { type FoundPlan, searchPlan } from './search-plan.js';

/** Room above the percentile that the fastest plan reaches, doubled until a sample shows that it holds: near capacity samples show little. */
const SLO_ROOM = 0.02;
const MOST_ROOM = 6;
const BISECTIONS = 3;

type Fix = { readonly constraint: BindingConstraint; readonly excess: number; readonly fixes: PlanFixes };

function found(problem: PlanningProblem, verify: VerifyPlan | undefined): FoundPlan | undefined {
  const outcome = searchPlan(problem, verify);
  return outcome.kind === 'found' ? outcome.found : undefined;
}

/** The plan of least latency within budget and floor, and what judges it. */
interface Fastest {
  readonly plan: Plan;
  readonly verify: VerifyPlan | undefined;
}

/** The smallest SLO at which the fastest plan is seen to hold; none where no sample shows it. The sum of tails is a claim of its own. */
function sloFix({ estimator }: PlanningProblem, { slo }: PipelineSpec, { plan, verify }: Fastest): Fix | undefined {
  const verified = estimator === 'sum-of-tails' ? undefined : plan.verified;
  const reachedMs = verified?.latencyMs ?? plan.predicted.latencyMs;
  if (!Number.isFinite(reachedMs)) return undefined;
  const latencyMs = leastThatHolds(
    { reachedMs, aboveMs: slo.latencyMs },
    (ms) => verified === undefined || verify === undefined || showsSloMet(verify(plan, { ...slo, latencyMs: ms })),
  );
  if (latencyMs === undefined) return undefined;
  return { constraint: 'slo', excess: latencyMs / slo.latencyMs, fixes: { slo: { latencyMs } } };
}

/** A whole number of ms above the asked SLO and what is reached that holds; with a smaller one nearby that was seen not to, if any was. */
function leastThatHolds(
  { reachedMs, aboveMs }: { readonly reachedMs: number; readonly aboveMs: number },
  holdsAt: (latencyMs: number) => boolean,
): number | undefined {
  const withRoom = (room: number): number => Math.max(Math.ceil(reachedMs * (1 + room)), Math.floor(aboveMs) + 1);
  let room = SLO_ROOM;
  while (!holdsAt(withRoom(room))) {
    room *= 2;
    if (room > MOST_ROOM) return undefined;
  }
  if (room === SLO_ROOM) return withRoom(room);
  let [fails, holds] = [withRoom(room / 2), withRoom(room)];
  for (let i = 0; i < BISECTIONS; i++) {
    const middle = Math.ceil((fails + holds) / 2);
    if (holdsAt(middle)) holds = middle;
    else fails = middle;
  }
  return holds;
}

/** The fewest cores without any budget, whatever runs; the other bounded resources are told with what that plan uses of them. */
function budgetFix(problem: PlanningProblem, spec: PipelineSpec, verify: VerifyPlan | undefined): Fix | undefined {
  const limits = limitsOf(spec);
  if (!limits.some(Number.isFinite)) return undefined;
  const coresOnly = { ...problem.spec, prices: { cpuCorePerHour: 1, memoryGibPerHour: 0, gpuPerHour: 0 } };
  const accuracyFloor = spec.objective.kind === 'min-cost' ? spec.objective.accuracyFloor : 0;
  const objective = { kind: 'min-cost', accuracyFloor } as const;
  const { runningPlan: _, ...fresh } = problem;
  const smallest = found({ ...fresh, spec: coresOnly, budget: {}, objective }, verify);
  if (smallest === undefined) return undefined;
  const use = totalUse(smallest.choice.map(({ option: o }) => useOf(o.resources, o.replicas, spec.prices)));
  const needed = use.map((amount, r) => (Number.isFinite(limits[r]) ? Math.max(amount, limits[r] as number) : amount));
  const bounded = resourceKinds.flatMap((kind, r) => (Number.isFinite(limits[r]) ? [[kind, needed[r] as number]] : []));
  const budget = { ...(Object.fromEntries(bounded) as Budget), cpuCores: needed[0] as number };
  const excess = Math.max(...use.map((amount, r) => amount / Math.max(1e-9, limits[r] as number)));
  return { constraint: 'budget', excess, fixes: { budget } };
}

function floorFix(problem: PlanningProblem, spec: PipelineSpec, verify: VerifyPlan | undefined): Fix | undefined {
  if (spec.objective.kind !== 'min-cost') return undefined;
  const best = found({ ...problem, objective: { kind: 'max-accuracy' } }, verify);
  if (best === undefined) return undefined;
  const reached = best.plan.predicted.pas;
  return {
    constraint: 'accuracy-floor',
    excess: spec.objective.accuracyFloor / reached,
    fixes: { accuracyFloor: reached },
  };
}

/** Which single bound, taken away, lets at least the relaxation through. */
function bindingByRelaxation(problem: PlanningProblem): BindingConstraint {
  if (relaxationBound({ ...problem, budget: {} }) !== undefined) return 'budget';
  const { percentile } = problem.slo ?? problem.spec.slo;
  const unhurried = { latencyMs: Number.MAX_VALUE, percentile };
  return relaxationBound({ ...problem, slo: unhurried }) === undefined ? 'capacity' : 'slo';
}

function verdictOn(plan: Plan | undefined, { slo }: PipelineSpec, verify: VerifyPlan | undefined): Plan | undefined {
  return plan === undefined || verify === undefined ? plan : { ...plan, verified: verify(plan, slo) };
}

/** The infeasible answer; `fastest` is the plan of least latency within budget and floor, if there is any. */
export function infeasibleResult(problem: PlanningProblem, fastest: Plan | undefined, verify?: VerifyPlan): PlanResult {
  const spec = specOf(problem);
  const judge = problem.verifiesAdvice === false ? undefined : verify;
  const fixes = [
    fastest && sloFix(problem, spec, { plan: fastest, verify: judge }),
    budgetFix(problem, spec, judge),
    floorFix(problem, spec, judge),
  ];
  const helping = fixes.filter((fix): fix is Fix => fix !== undefined).sort((a, b) => a.excess - b.excess);
  const bestEffort = fastest ?? verdictOn(largestCapacityPlan(problem), spec, verify);
  return {
    kind: 'infeasible',
    proven: relaxationBound(problem) === undefined,
    bindingConstraint: helping[0]?.constraint ?? bindingByRelaxation(problem),
    fixes: Object.assign({}, ...helping.map((fix) => fix.fixes)) as PlanFixes,
    ...(bestEffort === undefined ? {} : { bestEffort }),
  };
}

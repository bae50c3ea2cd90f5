import type { Budget, PipelineSpec } from '../../model/pipeline-spec.js';
import { type BindingConstraint, type Plan, type PlanFixes, type PlanResult, showsSloMet } from '../../model/plan.js';
import { hasKnownAccuracy, type PreparedProblem, prepareRelaxation } from '../options/prepared-problem.js';
import { type Solution, surrogateProblem } from '../options/surrogate.js';
import { type PlanningProblem, specOf, type VerifyPlan } from '../planning-problem.js';
import { caseChoices, planCases } from '../problem/plan-cases.js';
import { limitsOf, resourceKinds, totalUse, useOf } from '../problem/resource-use.js';
import { solve } from '../surrogate/solve.js';
import { planOf } from './plan-of.js';
import { boundedCases, relaxationBound } from './relaxation-bound.js';
import { DEFAULT_WORK_LIMIT, type FoundPlan, type PlanSearch, searchPlan } from './search-plan.js';

/** Plan of largest capacity within the budget, ignoring accuracy and SLO. Bisects the rate to 1 %. */

const PRECISION = 0.01;
const CAPACITY_BISECTIONS = 60;
const MOST_RPS = 1e12;

interface StablePlan {
  readonly prepared: PreparedProblem;
  readonly choice: NonNullable<Solution['choice']>;
}

function stableAt(problem: PlanningProblem, arrivalRps: number): StablePlan | undefined {
  const asked: PlanningProblem = {
    ...problem,
    arrivalRps,
    objective: { kind: 'min-cost', accuracyFloor: 0 },
    slo: { ...(problem.slo ?? problem.spec.slo), latencyMs: Number.MAX_VALUE },
  };
  for (const each of planCases(asked)) {
    const prepared = prepareRelaxation(each);
    const { choice } = solve(surrogateProblem(prepared, { theta: 0, kappa: 1 }));
    if (choice !== undefined)
      return { prepared: { ...prepared, problem: { ...problem, ...caseChoices(each) } }, choice };
  }
  return undefined;
}

/** Plan for the largest rate up to the problem's rate; undefined if rate 0 has none. */
function largestCapacityPlan(problem: PlanningProblem): Plan | undefined {
  let low = 0;
  let high = Math.min(problem.arrivalRps, MOST_RPS);
  let best = stableAt(problem, high);
  if (best === undefined) best = stableAt(problem, low);
  else low = high;
  if (best === undefined) return undefined;
  for (let i = 0; i < CAPACITY_BISECTIONS && high - low > PRECISION * low; i++) {
    const middle = (low + high) / 2;
    const stable = stableAt(problem, middle);
    if (stable === undefined) high = middle;
    else [best, low] = [stable, middle];
  }
  const options = best.choice.map((o) => o.option);
  return planOf(best.prepared, options);
}

/**
 * Result without a feasible plan: the binding constraint, the smallest helpful relaxation of each bound, and the best
 * effort. The constraint that needs the smallest relative relaxation binds. If none helps, `bindingByRelaxation`
 * decides.
 */

/**
 * First excess (fraction) of a tried SLO over the fastest plan's latency, doubled until verified. Samples near capacity
 * say little.
 */
const SLO_ROOM = 0.02;
const MOST_ROOM = 6;
const BISECTIONS = 3;
/** Up to this `excess`, a plan fits. */
const FITS = 1 + 1e-9;

/** `excess`: needed amount ÷ limit. At most 1: `plan` fits after all. */
interface Fix {
  readonly constraint: BindingConstraint;
  readonly excess: number;
  readonly fixes: PlanFixes;
  readonly plan?: Plan;
}

/** Work of the search for a relaxation, relative to that for the plan. */
const ADVICE_WORK_FRACTION = 0.25;

function findPlan(problem: PlanningProblem, verify: VerifyPlan | undefined): FoundPlan | undefined {
  const cases = boundedCases(problem, verify !== undefined);
  if (cases.length === 0) return undefined;
  const { workLimit = DEFAULT_WORK_LIMIT } = problem;
  const outcome = searchPlan({ ...problem, workLimit: workLimit * ADVICE_WORK_FRACTION }, verify, cases);
  return outcome.kind === 'found' ? outcome.found : undefined;
}

interface Fastest {
  readonly plan: Plan;
  readonly verify: VerifyPlan | undefined;
}

/** Smallest SLO at which the fastest plan is verified. The sum of tails needs no verification. */
function sloFix({ estimator }: PlanningProblem, { slo }: PipelineSpec, { plan, verify }: Fastest): Fix | undefined {
  const verified = estimator === 'sum-of-tails' ? undefined : plan.verified;
  const reachedMs = verified?.latencyMs ?? plan.predicted.latencyMs;
  if (!Number.isFinite(reachedMs)) return undefined;
  const latencyMs = leastVerifiedMs(
    { reachedMs, aboveMs: slo.latencyMs },
    (ms) => verified === undefined || verify === undefined || showsSloMet(verify(plan, { ...slo, latencyMs: ms })),
  );
  if (latencyMs === undefined) return undefined;
  return { constraint: 'slo', excess: latencyMs / slo.latencyMs, fixes: { slo: { latencyMs } } };
}

/** Smallest verified SLO found, in whole ms above `aboveMs` and `reachedMs`. */
function leastVerifiedMs(
  { reachedMs, aboveMs }: { readonly reachedMs: number; readonly aboveMs: number },
  isVerifiedAt: (latencyMs: number) => boolean,
): number | undefined {
  const withRoom = (room: number): number => Math.max(Math.ceil(reachedMs * (1 + room)), Math.floor(aboveMs) + 1);
  let room = SLO_ROOM;
  while (!isVerifiedAt(withRoom(room))) {
    room *= 2;
    if (room > MOST_ROOM) return undefined;
  }
  if (room === SLO_ROOM) return withRoom(room);
  let [fails, holds] = [withRoom(room / 2), withRoom(room)];
  for (let i = 0; i < BISECTIONS; i++) {
    const middle = Math.ceil((fails + holds) / 2);
    if (isVerifiedAt(middle)) holds = middle;
    else fails = middle;
  }
  return holds;
}

/** Budget for the plan with the fewest cores: its cores, and its use of other limited resources. */
function budgetFix(problem: PlanningProblem, spec: PipelineSpec, verify: VerifyPlan | undefined): Fix | undefined {
  const limits = limitsOf(spec);
  if (!limits.some(Number.isFinite)) return undefined;
  const coresOnly = { ...problem.spec, prices: { cpuCorePerHour: 1, memoryGibPerHour: 0, gpuPerHour: 0 } };
  const accuracyFloor = spec.objective.kind === 'min-cost' ? spec.objective.accuracyFloor : 0;
  const objective = { kind: 'min-cost', accuracyFloor } as const;
  const { runningPlan: _, ...fresh } = problem;
  const smallest = findPlan({ ...fresh, spec: coresOnly, budget: {}, objective }, verify);
  if (smallest === undefined) return undefined;
  const use = totalUse(smallest.choice.map(({ option: o }) => useOf(o.resources, o.replicas, spec.prices)));
  const needed = use.map((amount, r) => (Number.isFinite(limits[r]) ? Math.max(amount, limits[r] as number) : amount));
  const bounded = resourceKinds.flatMap((kind, r) => (Number.isFinite(limits[r]) ? [[kind, needed[r] as number]] : []));
  const budget = { ...(Object.fromEntries(bounded) as Budget), cpuCores: needed[0] as number };
  const excess = Math.max(...use.map((amount, r) => amount / Math.max(1e-9, limits[r] as number)));
  return { constraint: 'budget', excess, fixes: { budget }, plan: smallest.plan };
}

function floorFix(problem: PlanningProblem, spec: PipelineSpec, verify: VerifyPlan | undefined): Fix | undefined {
  if (spec.objective.kind !== 'min-cost') return undefined;
  const best = findPlan({ ...problem, objective: { kind: 'max-accuracy' } }, verify);
  if (best === undefined) return undefined;
  const { plan } = best;
  const reached = plan.predicted.pas;
  const excess = spec.objective.accuracyFloor / reached;
  return { constraint: 'accuracy-floor', excess, fixes: { accuracyFloor: reached }, plan };
}

function bindingByRelaxation(problem: PlanningProblem): BindingConstraint {
  if (relaxationBound({ ...problem, budget: {} }) !== undefined) return 'budget';
  const { percentile } = problem.slo ?? problem.spec.slo;
  const unhurried = { latencyMs: Number.MAX_VALUE, percentile };
  if (relaxationBound({ ...problem, slo: unhurried }) !== undefined) return 'slo';
  const withoutFloor = { ...problem, objective: { kind: 'max-accuracy' } } as const;
  const { objective = problem.spec.objective } = problem;
  if (objective.kind === 'min-cost' && relaxationBound(withoutFloor) !== undefined) return 'accuracy-floor';
  const unlimited = { ...problem, slo: unhurried, budget: {}, objective: { kind: 'max-accuracy' } } as const;
  if (relaxationBound(unlimited) !== undefined) return 'several-limits';
  const unloaded = planCases({ ...problem, arrivalRps: 0, slo: unhurried, budget: {} });
  return unloaded.some((each) => hasKnownAccuracy(prepareRelaxation(each))) ? 'capacity' : 'unmeasured-accuracy';
}

function withVerdict(plan: Plan | undefined, { slo }: PipelineSpec, verify: VerifyPlan | undefined): Plan | undefined {
  return plan === undefined || verify === undefined ? plan : { ...plan, verified: verify(plan, slo) };
}

export type Answer =
  | { readonly kind: 'found'; readonly found: FoundPlan; readonly labels: number }
  | { readonly kind: 'none'; readonly result: PlanResult };

interface Deciders {
  readonly verify: VerifyPlan | undefined;
  /** True if the relaxation proves it. */
  readonly isInfeasible: () => boolean;
}

/**
 * The plan of a search, or the reason for none. If a relaxation yields a verified plan that fits the original limits, a
 * second search takes it as a candidate.
 */
export function answerOf(problem: PlanningProblem, search: PlanSearch, deciders: Deciders): Answer {
  if (search.kind === 'found') return search;
  const { verify } = deciders;
  const spec = specOf(problem);
  const judge = problem.verifiesAdvice === false ? undefined : verify;
  const { fastest } = search;
  const fixes = [
    fastest && sloFix(problem, spec, { plan: fastest, verify: judge }),
    budgetFix(problem, spec, judge),
    floorFix(problem, spec, judge),
  ].filter((fix): fix is Fix => fix !== undefined);
  const candidates = fixes.flatMap(({ excess, plan }) => (excess <= FITS && plan ? [plan.stages] : []));
  if (candidates.length > 0 && judge !== undefined) {
    const again = searchPlan({ ...problem, candidates }, verify);
    if (again.kind === 'found') return again;
  }
  return { kind: 'none', result: noPlanResult(problem, search, { ...deciders, fixes }) };
}

function noPlanResult(
  problem: PlanningProblem,
  { fastest, tried }: Extract<PlanSearch, { kind: 'none' }>,
  { fixes, verify, isInfeasible }: Deciders & { readonly fixes: readonly Fix[] },
): PlanResult {
  const spec = specOf(problem);
  const helping = [...fixes].sort((a, b) => a.excess - b.excess);
  const bestEffort = fastest ?? withVerdict(largestCapacityPlan(problem), spec, verify);
  const reasons = {
    bindingConstraint: helping[0]?.constraint ?? bindingByRelaxation(problem),
    fixes: Object.assign({}, ...helping.map((fix) => fix.fixes)) as PlanFixes,
    ...(bestEffort === undefined ? {} : { bestEffort }),
  };
  if (isInfeasible()) return { kind: 'infeasible', proven: true, ...reasons };
  return { kind: 'not-found', tried, ...reasons };
}

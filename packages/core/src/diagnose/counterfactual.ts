/**
 * Simulates a remedy: the arrivals of the incident, with the measured fan-outs, shares and service times, against the
 * plan that the planner makes for them. Bounded work, so that an answer comes in time.
 */
import { correctedProfiles } from '../control/feedback/profile-feedback.js';
import { planOfStages } from '../control/plan-facts.js';
import { stageLoads } from '../estimate/stage-load.js';
import { SeededRng } from '../kernel/rng.js';
import type { Budget, PipelineSpec } from '../model/pipeline-spec.js';
import type { Plan } from '../model/plan.js';
import type { ProfileSet } from '../model/profile-point.js';
import { edgesOfPlan } from '../model/resolved-spec.js';
import type { PlanningProblem } from '../optimize/planning-problem.js';
import { policies } from '../optimize/policies.js';
import { curvesOf } from '../profile/service-curves.js';
import { traceArrivals } from '../simulate/arrivals/trace.js';
import { simulatePlan } from '../simulate/simulate-plan.js';
import type { CaseFile } from './case-file.js';
import type { Counterfactual, Suspect } from './incident-card.js';
import { specWithEdges } from './measured-spec.js';
import { stagesAtOnset } from './stages-at-onset.js';
import { type Span, secondsOf, sumIn } from './symptoms.js';

const MOST_SECONDS = 60;
const LEAD_S = 5;
/** Requests times stages of one simulation. */
const MOST_WORK = 20_000;
const FEWEST_OUTPUTS = 30;
/** Planned rate relative to the busiest five seconds; raised while the plan misses the SLO in the simulation. */
const RATE_FACTORS = [1.05, 1.3, 1.7];
/** Smaller deviations from the profile are left to the profile. */
const LEAST_FACTOR = 1.1;

/** The pipeline as measured in the incident. */
interface World {
  readonly spec: PipelineSpec;
  readonly profiles: ProfileSet;
  readonly counts: readonly number[];
  readonly hostCores: number;
  readonly allowedFraction: number;
}

interface Outcome {
  readonly requests: number;
  readonly missed: number;
  readonly holds: boolean;
}

export function counterfactual(file: CaseFile, suspect: Suspect): Counterfactual | undefined {
  if (suspect.cause === 'unknown' && mostlyFailed(file)) return undefined;
  const world = worldOf(file, suspect);
  switch (suspect.cause) {
    case 'client':
      return withoutClients(file);
    case 'slow-replica':
      return withRunningPlan(file, world, `with ${suspect.replicaId} as quick as its peers`);
    case 'failing-variant':
      return withOtherVariant(file, world, suspect);
    default:
      return withBetterPlan(world, world.spec.budget) ?? withMoreCores(world);
  }
}

/** A simulation knows no failures of requests, so it would promise too much. */
function mostlyFailed({ history, episode }: CaseFile): boolean {
  const failed = sumIn(episode, (at) => history.figure(at, 'failed'));
  return failed >= sumIn(episode, (at) => history.missed(at)) / 2;
}

function withoutClients({ history, episode, allowedFraction }: CaseFile): Counterfactual {
  const spoiled = sumIn(episode, (at) => history.figure(at, 'clientMissed'));
  const requests = sumIn(episode, (at) => history.ended(at)) - spoiled;
  const missed = sumIn(episode, (at) => history.missed(at)) - spoiled;
  const text = `no plan changes this: without these requests, ${missed} of ${requests} requests miss the SLO`;
  return { text, holds: missed <= allowedFraction * requests, requests, missed };
}

function withRunningPlan(file: CaseFile, world: World, what: string): Counterfactual | undefined {
  const stages = stagesAtOnset(file);
  if (stages === undefined) return undefined;
  const plan = planOfStages(file.input.spec, stages);
  const { requests, missed, holds } = simulated(world, plan);
  if (!holds) return withBetterPlan(world, world.spec.budget) ?? withMoreCores(world);
  return {
    text: `${what}, the running plan misses the SLO in ${missed} of ${requests} requests`,
    holds,
    requests,
    missed,
  };
}

function withOtherVariant(file: CaseFile, world: World, { stageId }: Suspect): Counterfactual | undefined {
  const failing = new Set(
    file.input.replicas
      .filter((block) => block.stageId === stageId && block.failedItems > 0)
      .map((block) => block.variantId),
  );
  const stages = world.spec.stages.map((stage) => {
    const left = stage.variants.filter(({ id }) => !failing.has(id));
    return stage.id !== stageId || left.length === 0 ? stage : { ...stage, variants: left };
  });
  const isOther = stages.some((stage, i) => stage !== world.spec.stages[i]);
  if (!isOther) return withRunningPlan(file, world, 'if the variant answered');
  return withBetterPlan({ ...world, spec: { ...world.spec, stages } }, world.spec.budget);
}

/** Plan within a budget that holds; undefined without one. */
function withBetterPlan(world: World, budget: Budget): Counterfactual | undefined {
  let best: { readonly plan: Plan; readonly outcome: Outcome } | undefined;
  for (const factor of RATE_FACTORS) {
    const plan = planFor({ ...problemOf(world, factor), budget });
    if (plan === undefined) break;
    const outcome = simulated(world, plan);
    if (best === undefined || outcome.missed < best.outcome.missed) best = { plan, outcome };
    if (outcome.holds) break;
  }
  if (best === undefined || !best.outcome.holds) return undefined;
  const { plan, outcome } = best;
  const { cpuCores } = plan.predicted;
  const text = `with a plan of ${coresText(cpuCores)}, ${outcome.missed} of ${outcome.requests} requests miss the SLO`;
  return { text, plan, ...outcome };
}

/** Cheapest plan without a budget. */
function withMoreCores(world: World): Counterfactual {
  const objective = { kind: 'min-cost', accuracyFloor: 0 } as const;
  const cheapest = { ...world, spec: { ...world.spec, objective } };
  const within = withBetterPlan(cheapest, world.spec.budget);
  if (within !== undefined) return { ...within, text: `${within.text} (at a lower accuracy)` };
  const found = withBetterPlan(cheapest, {});
  if (found?.plan === undefined) return { text: 'no plan that the bounds of the stages allow holds', holds: false };
  const { cpuCores } = found.plan.predicted;
  const text = `no plan within the budget holds; ${coresText(cpuCores)} would: ${found.missed} of ${found.requests} requests miss the SLO`;
  return { ...found, text, holds: false, budgetCores: cpuCores };
}

const coresText = (cores: number): string => `${Number(cores.toFixed(2))} ${cores === 1 ? 'core' : 'cores'}`;

function problemOf({ spec, profiles, counts }: World, factor: number): PlanningProblem {
  const means = counts.map((_, i) => {
    const five = counts.slice(Math.max(0, i - 4), i + 1);
    return five.reduce((sum, count) => sum + count, 0) / five.length;
  });
  return {
    spec,
    profiles,
    arrivalRps: factor * Math.max(1, ...means),
    estimator: 'distribution',
    verifiesAdvice: false,
  };
}

function planFor(problem: PlanningProblem): Plan | undefined {
  const result = policies.equipoise(problem);
  return result.kind === 'feasible' ? result.plan : undefined;
}

function simulated({ spec, profiles, counts, hostCores, allowedFraction }: World, plan: Plan): Outcome {
  const curves = curvesOf(spec, profiles);
  if (curves.kind === 'invalid') return { requests: 0, missed: 0, holds: false };
  const rng = new SeededRng(1);
  const { tally } = simulatePlan({
    ...{ spec, curves, plan, rng, drops: true },
    arrivals: traceArrivals(counts, rng.fork('arrivals')),
    hostCores: Math.max(hostCores, Math.ceil(plan.predicted.cpuCores)),
  });
  const missed = tally.arrived - tally.withinSlo;
  return { requests: tally.arrived, missed, holds: missed <= allowedFraction * tally.arrived };
}

function worldOf(file: CaseFile, suspect: Suspect): World {
  const { input, history, episode, allowedFraction } = file;
  const spec = specWithEdges(input.spec, measuredEdges(file), edgesOfPlan(input.spec, stagesAtOnset(file)));
  const visits = [...stageLoads(spec, 1).values()].reduce((sum, load) => sum + load.visits, 0);
  const from = Math.max(0, episode.from - LEAD_S);
  const seconds = secondsOf({ from, to: Math.min(episode.to, from + MOST_SECONDS) });
  const counts: number[] = [];
  let work = 0;
  for (const at of seconds) {
    const count = Math.round(history.figure(at, 'arrived'));
    work += count * visits;
    if (work > MOST_WORK && counts.length >= LEAD_S) break;
    counts.push(count);
  }
  return { spec, profiles: measuredProfiles(file, spec, suspect), counts, hostCores: input.hostCores, allowedFraction };
}

function measuredEdges({ history, episode, input }: CaseFile): ReadonlyMap<number, number> {
  const values = new Map<number, number>();
  for (const [index, edge] of input.spec.edges.entries()) {
    const sum = (field: 'items' | 'fanOuts' | 'taken' | 'offered') =>
      sumIn(episode, (at) => history.edgeFigure(at, index, field));
    const [y, x] = edge.fanOut === undefined ? [sum('taken'), sum('offered')] : [sum('items'), sum('fanOuts')];
    if (x >= FEWEST_OUTPUTS) values.set(index, y / x);
  }
  return values;
}

/** Profiles with the measured service times; without those of a slow replica. */
function measuredProfiles(file: CaseFile, spec: PipelineSpec, { cause, stageId }: Suspect): ProfileSet {
  const factors = new Map(
    file.stageIds.map((id, stage) => [
      id,
      cause === 'slow-replica' && id === stageId ? 1 : factorOf(file, stage, file.episode),
    ]),
  );
  const corrections = spec.stages.flatMap((stage) =>
    stage.variants.flatMap((variant) => {
      const factor = factors.get(stage.id) ?? 1;
      const profile = file.input.profiles.find((each) => each.stageId === stage.id && each.variantId === variant.id);
      const points = factor < LEAST_FACTOR ? [] : (profile?.points ?? variant.profile ?? []);
      return points.map(({ cpuCores, batchSize }) => ({
        stageId: stage.id,
        variantId: variant.id,
        cpuCores,
        batchSize,
        factor,
      }));
    }),
  );
  return correctedProfiles(spec, file.input.profiles, corrections);
}

function factorOf({ history }: CaseFile, stage: number, span: Span): number {
  const sum = (field: 'serviceMs' | 'expectedMs') => sumIn(span, (at) => history.stageFigure(at, stage, field));
  const expectedMs = sum('expectedMs');
  return expectedMs > 0 ? sum('serviceMs') / expectedMs : 1;
}

/**
 * Simulates an observing policy. It applies plans as our loop does: by the same changes, with the same times to start,
 * and the same queues, batches and drops.
 */
import { SeededRng } from '../../kernel/rng.js';
import { AppError } from '../../model/app-error.js';
import type { Change } from '../../model/change.js';
import type { StageId } from '../../model/ids.js';
import type { PipelineSpec } from '../../model/pipeline-spec.js';
import type { Plan } from '../../model/plan.js';
import type { ProfileSet } from '../../model/profile-point.js';
import { liveReplicas, type RunningPlan } from '../../model/running-plan.js';
import type { ServiceCurves } from '../../profile/service-curves.js';
import { simulatePlan } from '../../simulate/simulate-plan.js';
import type {
  SimulatedController,
  SimulatedView,
  SimulationInput,
  SimulationRun,
} from '../../simulate/simulation-input.js';
import { diffPlans, diffUnderWay } from '../diff-plans.js';
import { profiledLoadMs } from '../feedback/profile-feedback.js';
import { fitsBudget, isSamePlan, keepsBounds, planOfStages, runningAsPlan } from '../plan-facts.js';
import type { Observer, ObservingPolicy, PolicyInput, PolicyObservation, StageMetrics } from './observing-policy.js';

export interface ObservingSetup
  extends Pick<SimulationInput, 'arrivals' | 'hostCores' | 'measureFromMs' | 'loadEndsAtMs' | 'onEnd'> {
  readonly spec: PipelineSpec;
  readonly curves: ServiceCurves;
  /** Measured profiles, which have times to start. Default: those of the pipeline file. */
  readonly profiles?: ProfileSet;
  readonly policy: ObservingPolicy;
  readonly sampleArrivalsPerSecond: readonly number[];
  /** Arrivals of a simulation of the sample. */
  readonly sampleArrivals: () => SimulationInput['arrivals'];
  readonly seed: number;
}

export interface ObservingRun extends SimulationRun {
  /** Number of decisions that changed the plan. */
  readonly changes: number;
}

/** Throws AppError WRONG_USAGE if the policy wants a plan that breaks the bounds or the budget. */
export function simulateObserving(setup: ObservingSetup): ObservingRun {
  const { policy, sampleArrivalsPerSecond, sampleArrivals, seed, spec, curves, profiles = [], ...rest } = setup;
  const input: PolicyInput = {
    spec,
    curves,
    sampleArrivalsPerSecond,
    attainment: (stages) => sampleAttainment(setup, stages),
  };
  const observer = policy.begin(input);
  const loop = new ObservingLoop({ spec, curves, profiles, intervalMs: policy.intervalMs }, observer);
  const run = simulatePlan({
    ...rest,
    spec,
    curves,
    plan: loop.plan,
    controller: loop,
    onBatch: ({ stage, batch }, { nowMs, serviceMs }) =>
      loop.usage.note(stage, { fromMs: nowMs, untilMs: nowMs + serviceMs, items: batch.length }),
    rng: new SeededRng(seed),
    drops: true,
    accuracyOf: (running) => runningAsPlan(spec, running)?.predicted.pas ?? 0,
  });
  return { ...run, changes: loop.changes };
}

function sampleAttainment({ spec, curves, sampleArrivals, hostCores, seed }: ObservingSetup, stages: Plan['stages']) {
  const { tally } = simulatePlan({
    spec,
    curves,
    hostCores,
    plan: planOfStages(spec, stages),
    arrivals: sampleArrivals(),
    rng: new SeededRng(seed).fork('sample'),
    drops: true,
  });
  return tally.arrived === 0 ? 1 : tally.withinSlo / tally.arrived;
}

interface BatchSpan {
  readonly fromMs: number;
  readonly untilMs: number;
  readonly items: number;
}

/** Batches of each stage, for busy time and items in flight. */
class BatchUsage {
  readonly #spans = new Map<number, BatchSpan[]>();

  note(stage: number, span: BatchSpan): void {
    const spans = this.#spans.get(stage);
    if (spans === undefined) this.#spans.set(stage, [span]);
    else spans.push(span);
  }

  /** Busy time (ms) of all replicas between two instants, and items in flight at the second. Forgets what ended. */
  take(stage: number, fromMs: number, untilMs: number): { readonly busyMs: number; readonly inFlightItems: number } {
    let [busyMs, inFlightItems] = [0, 0];
    const running: BatchSpan[] = [];
    for (const span of this.#spans.get(stage) ?? []) {
      busyMs += Math.max(0, Math.min(untilMs, span.untilMs) - Math.max(fromMs, span.fromMs));
      if (span.untilMs <= untilMs) continue;
      inFlightItems += span.items;
      running.push(span);
    }
    this.#spans.set(stage, running);
    return { busyMs, inFlightItems };
  }
}

interface LoopSetup {
  readonly spec: PipelineSpec;
  readonly curves: ServiceCurves;
  readonly profiles: ProfileSet;
  readonly intervalMs: number;
}

class ObservingLoop implements SimulatedController {
  readonly usage = new BatchUsage();
  readonly intervalMs: number;
  readonly looksWhileChanging = true;
  readonly #spec: PipelineSpec;
  readonly #curves: ServiceCurves;
  readonly #profiles: ProfileSet;
  readonly #observer: Observer;
  #target: Plan;
  #decidedAtMs = 0;
  changes = 0;

  constructor({ spec, curves, profiles, intervalMs }: LoopSetup, observer: Observer) {
    this.#spec = spec;
    this.#curves = curves;
    this.#profiles = profiles;
    this.intervalMs = intervalMs;
    this.#observer = observer;
    this.#target = observedPlan(spec, curves, observer.first);
  }

  get plan(): Plan {
    return this.#target;
  }

  decide(view: SimulatedView): readonly Change[] | undefined {
    const { changing = false, runningPlan, ...observed } = view.observe();
    const observation = this.#observation({ ...observed, runningPlan });
    this.#decidedAtMs = observed.atMs;
    const wanted = this.#observer.decide(observation);
    if (wanted === undefined || isSamePlan(wanted, this.#target.stages)) return undefined;
    this.#target = observedPlan(this.#spec, this.#curves, wanted);
    this.changes += 1;
    return (changing ? diffUnderWay : diffPlans)(runningPlan, this.#target, this.#spec);
  }

  loadMs(...[stageId, variantId]: Parameters<SimulatedController['loadMs']>): number {
    return profiledLoadMs({ spec: this.#spec, profiles: this.#profiles }, stageId, variantId);
  }

  /** Fraction of the time that the CPU share of a replica lets it run. */
  #shareOf(id: StageId): number {
    const [stagePlan] = this.#target.stages[id] ?? [];
    const curve = stagePlan && this.#curves.curve(id, stagePlan.variantId, stagePlan.resources.cpuCores);
    return curve?.shareFraction ?? 1;
  }

  #observation({
    atMs,
    load,
    stages,
    runningPlan,
  }: Pick<ReturnType<SimulatedView['observe']>, 'atMs' | 'load' | 'stages' | 'runningPlan'>): PolicyObservation {
    const metrics = this.#spec.stages.map(({ id }, index): [StageId, StageMetrics] => {
      const usage = this.usage.take(index, this.#decidedAtMs, atMs);
      const { readyReplicas, liveReplicas: live } = replicaCounts(runningPlan, id);
      const timeMs = Math.max(1, readyReplicas * this.#shareOf(id) * (atMs - this.#decidedAtMs));
      const busyFraction = Math.min(1, usage.busyMs / timeMs);
      const { queueLength = 0 } = stages[id] ?? {};
      return [id, { queueLength, inFlightItems: usage.inFlightItems, busyFraction, readyReplicas, liveReplicas: live }];
    });
    return { atMs, arrivalsPerSecond: load.arrivalsPerSecond, stages: Object.fromEntries(metrics) };
  }
}

/** Plan with the stages that a policy wants. Throws WRONG_USAGE if it breaks bounds or budget or has no profile. */
export function observedPlan(spec: PipelineSpec, curves: ServiceCurves, stages: Plan['stages']): Plan {
  const plan = planOfStages(spec, stages);
  for (const [id, [stagePlan]] of Object.entries(stages)) {
    if (stagePlan === undefined) continue;
    const { variantId, resources } = stagePlan;
    if (curves.curve(id as StageId, variantId, resources.cpuCores) === undefined)
      throw new AppError('WRONG_USAGE', `stage "${id}" has no profile of ${variantId} on ${resources.cpuCores} cores.`);
  }
  if (!keepsBounds(spec, plan)) throw new AppError('WRONG_USAGE', 'The plan breaks the bounds on replicas.');
  if (!fitsBudget(spec, plan)) {
    const { cpuCores = 0 } = spec.budget;
    const message = `The plan needs ${plan.predicted.cpuCores} cores, the budget is ${cpuCores}.`;
    throw new AppError('WRONG_USAGE', message);
  }
  return plan;
}

export function replicaCounts({ stages }: RunningPlan, id: StageId) {
  const live = liveReplicas(stages[id]);
  return { liveReplicas: live.length, readyReplicas: live.filter(({ status }) => status === 'ready').length };
}

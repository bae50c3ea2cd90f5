import {
  type BatchTimes,
  buildObservation,
  type DwellTracker,
  loadAtRouter,
  type Observation,
  type PipelineSpec,
  type Plan,
  type ReplicaId,
  type RouterSplit,
  type RunningPlan,
  type RunningReplica,
  type RunningStage,
  type StageId,
  type StartTimes,
} from '@equipoise/core/model';
import type { RouterWindow } from '../observe/router-history.js';
import type { SignalWatch } from '../observe/signal-watch.js';
import type { ObservedPipeline } from '../reconcile/reconciliation.js';

/** Input of an observation; `runs` counts as the running plan. */
export interface LoopInput {
  /** Pipeline of one router. */
  readonly spec: PipelineSpec;
  readonly split: RouterSplit;
  readonly watch: Pick<SignalWatch, 'history' | 'stale'>;
  /** Batches since the last tick. */
  readonly batches: readonly BatchTimes[];
  /** Starts of pods since the last tick. */
  readonly starts: readonly StartTimes[];
  readonly ages: DwellTracker;
  readonly runs: Plan | undefined;
  readonly isShifting: boolean;
  readonly rolledBack: (stage: PipelineSpec['stages'][number]) => NonNullable<RunningStage['rolledBack']>;
}

/** Observation for the loop. A plan counts as running from its decision on, so that the policy does not repeat it. */
export function observationAt(
  atMs: number,
  { spec, split, watch, batches, starts, ages, runs, isShifting, rolledBack }: LoopInput,
): Observation {
  const runningPlan = asRunning(runs, spec, rolledBack);
  ages.note(runningPlan, atMs);
  const heard = watch.history.stages();
  const { stale } = watch;
  return buildObservation({
    atMs,
    load: loadAtRouter(watch.history.load(atMs), split),
    stages: spec.stages.map(({ id }) => {
      const { queueLength = 0, droppedTotal = 0 } = heard[id] ?? {};
      return { id, queueLength: queueLength / split.count, droppedTotal };
    }),
    dwell: ages,
    runningPlan,
    batches,
    starts,
    outcomes: watch.history.outcomes(),
    // Marked as changing, because another plan would restart the canary.
    ...(isShifting && { changing: true }),
    staleSources: stale === undefined ? [] : [stale.source],
  });
}

function asRunning(plan: Plan | undefined, spec: PipelineSpec, rolledBackOf: LoopInput['rolledBack']): RunningPlan {
  const stages: Record<StageId, RunningPlan['stages'][StageId]> = {};
  for (const stage of spec.stages) {
    const { id } = stage;
    const [first] = plan?.stages[id] ?? [];
    if (first === undefined) continue;
    const rolledBack = rolledBackOf(stage);
    const { variantId, resources, replicas, maxBatchSize, maxBatchWaitMs, threshold, quorum } = first;
    const replica = (_: unknown, index: number): RunningReplica => ({
      replicaId: `${id}/${variantId}/${index}` as ReplicaId,
      variantId,
      resources,
      status: 'ready',
    });
    stages[id] = {
      ...{ replicas: Array.from({ length: replicas }, replica), maxBatchSize, maxBatchWaitMs },
      ...(replicas === 0 && { omitted: true as const }),
      ...(threshold !== undefined && { threshold }),
      ...(quorum !== undefined && { quorum }),
      ...(rolledBack.length > 0 && { rolledBack }),
    };
  }
  return { stages };
}

type Observed = NonNullable<ObservedPipeline['observed']>;

/** Observed figures for the status, rounded so that noise does not change it. */
export function observedStatus(
  { slo }: PipelineSpec,
  window: RouterWindow,
  { routed, networkMs }: { readonly routed: Plan | undefined; readonly networkMs: Observed['networkMs'] | undefined },
): Observed {
  const { arrivalRps, latencyMs, sloAttainmentFraction } = window;
  return {
    arrivalRps: round(arrivalRps),
    percentile: slo.percentile,
    ...(latencyMs !== undefined && { latencyMs: round(latencyMs) }),
    ...(sloAttainmentFraction !== undefined && { sloAttainmentFraction: Number(sloAttainmentFraction.toFixed(4)) }),
    ...(routed && usedResources(routed)),
    ...(networkMs && { networkMs }),
  };
}

export function isSameVerdict({ slo }: PipelineSpec, a: Observed | undefined, b: Observed | undefined): boolean {
  const verdict = (of: Observed | undefined) =>
    of?.sloAttainmentFraction === undefined ? undefined : of.sloAttainmentFraction >= slo.percentile / 100;
  return verdict(a) === verdict(b);
}

const round = (value: number): number => Number(value.toPrecision(2));

const usedResources = ({ predicted: { pas, cpuCores, costPerHour } }: Plan) => ({ pas, cpuCores, costPerHour });

/** What a tick of the control policy is shown of a pipeline on a cluster. */
import type {
  Observation,
  PipelineSpec,
  Plan,
  ReplicaId,
  RunningPlan,
  RunningReplica,
  StageId,
  StageObservation,
  DwellTracker,
} from '@equipoise/core/model';
import type { RouterWatch } from '../observe/router-watch.js';

/** What is known. `runs` is what counts as running, undefined where nothing does. */
export interface Seen {
  readonly spec: PipelineSpec;
  readonly watch: Pick<RouterWatch, 'history' | 'lost'>;
  readonly ages: DwellTracker;
  readonly runs: Plan | undefined;
  /** Whether the requests come to the plan in steps just now. */
  readonly isShifting: boolean;
}

/**
 * The observation at `atMs`. A plan counts as running from the moment of the decision: bringing the cluster there is the reconciliation's,
 * whose status says what stands in its way. A policy that waited for it would decide the same again and again, or turn back half way.
 */
export function observationAt(atMs: number, { spec, watch, ages, runs, isShifting }: Seen): Observation {
  const runningPlan = asRunning(runs);
  ages.note(runningPlan, atMs);
  const heard = watch.history.stages();
  const stages: Record<StageId, StageObservation> = {};
  for (const { id } of spec.stages) {
    const variantSinceMs = ages.sinceMs(id);
    stages[id] = {
      ...(heard[id] ?? { queueLength: 0, droppedTotal: 0 }),
      ...(variantSinceMs !== undefined && { variantSinceMs }),
    };
  }
  const { lost } = watch;
  const staleSources = lost === undefined ? [] : [`router ${lost}`];
  return {
    ...{ atMs, load: watch.history.load(atMs), stages, runningPlan, staleSources },
    // Another plan would begin the steps anew.
    ...(isShifting && { changing: true }),
  };
}

function asRunning(plan: Plan | undefined): RunningPlan {
  const stages: Record<StageId, RunningPlan['stages'][StageId]> = {};
  for (const [id, [first]] of Object.entries(plan?.stages ?? {})) {
    if (first === undefined) continue;
    const { variantId, resources, replicas, maxBatchSize, maxBatchWaitMs } = first;
    const replica = (_: unknown, index: number): RunningReplica => ({
      replicaId: `${id}/${variantId}/${index}` as ReplicaId,
      ...{ variantId, resources, status: 'ready' },
    });
    stages[id as StageId] = { replicas: Array.from({ length: replicas }, replica), maxBatchSize, maxBatchWaitMs };
  }
  return { stages };
}

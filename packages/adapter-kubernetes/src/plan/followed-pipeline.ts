/** State of a pipeline as an operator sees it, for its page: read when asked, not kept. */
import type {
  PipelineSpec,
  Plan,
  RouterSplit,
  RunningPlan,
  RunningReplica,
  StageId,
  StageSpec,
} from '@equipoise/core/model';
import { LABEL_PREFIX, labelValue } from '../cluster/object-names.js';
import { isReady, isStage, type ObservedPod } from '../cluster/observed-objects.js';
import { podIssues } from '../cluster/rollout-state.js';
import type { RouterHistory } from '../observe/router-history.js';
import type { SignalAge } from '../observe/signal-watch.js';
import type { ControlIssue, ObservedPipeline } from '../reconcile/reconciliation.js';
import type { PlanAnswer } from './planning.js';

export interface FollowedPipeline {
  readonly spec: PipelineSpec;
  readonly view: Pick<ObservedPipeline, 'pipeline' | 'pods'>;
  readonly answer: PlanAnswer;
  /** Pipeline for which plans are made: that of one router, without the part of the SLO that an engine needs. */
  readonly planned: { readonly spec: PipelineSpec; readonly split: RouterSplit };
  /** Plan of all routers; undefined before the first. */
  readonly plan: Plan | undefined;
  readonly history: Pick<RouterHistory, 'served' | 'latencies' | 'latencySince' | 'stages' | 'window'>;
  readonly issue: ControlIssue | undefined;
  readonly signals: readonly SignalAge[];
}

/**
 * Replicas of a pipeline, from its pods. An engine whose pods have no labels of ours is taken to run the plan once its
 * objects are ready.
 */
export function podsAsRunning({ spec, view, plan }: Pick<FollowedPipeline, 'spec' | 'view' | 'plan'>): RunningPlan {
  const pods = view.pods.filter(isStage);
  const { conditions = [] } = view.pipeline.status ?? {};
  const isComplete = conditions.some(({ type, status }) => type === 'Ready' && status === 'True');
  const stages = spec.stages.map((stage) => {
    const [planned] = plan?.stages[stage.id] ?? [];
    const replicas =
      pods.length > 0
        ? pods.flatMap((pod) => replicaOf(pod, stage, plan))
        : plannedReplicas(stage.id, plan, isComplete);
    const isOmitted = planned?.replicas === 0 && replicas.length === 0;
    return [
      stage.id,
      {
        replicas,
        maxBatchSize: planned?.maxBatchSize ?? 1,
        maxBatchWaitMs: planned?.maxBatchWaitMs ?? 0,
        ...(isOmitted && { omitted: true as const }),
      },
    ] as const;
  });
  return { stages: Object.fromEntries(stages) };
}

function replicaOf(pod: ObservedPod, { id, variants }: StageSpec, plan: Plan | undefined): readonly RunningReplica[] {
  const { labels = {}, name } = pod.metadata;
  if (labels[`${LABEL_PREFIX}/stage`] !== labelValue(id)) return [];
  const variant = variants.find((each) => labelValue(each.id) === labels[`${LABEL_PREFIX}/variant`]);
  if (variant === undefined) return [];
  const planned = plan?.stages[id]?.find(({ variantId }) => variantId === variant.id)?.resources;
  const { memoryBytes, gpus, cpuCores } = variant;
  const resources = planned ?? { cpuCores: cpuCores[0] ?? 0, memoryBytes, gpus };
  return [{ replicaId: name as RunningReplica['replicaId'], variantId: variant.id, resources, status: statusOf(pod) }];
}

function statusOf(pod: ObservedPod): RunningReplica['status'] {
  if (pod.metadata.deletionTimestamp !== undefined) return 'draining';
  if (isReady(pod)) return 'ready';
  return podIssues([pod]).length > 0 ? 'failed' : 'starting';
}

function plannedReplicas(id: StageId, plan: Plan | undefined, isComplete: boolean): readonly RunningReplica[] {
  return (plan?.stages[id] ?? []).flatMap(({ variantId, resources, replicas }) =>
    Array.from({ length: replicas }, (_, index) => ({
      replicaId: `${id}/${variantId}/${index}` as RunningReplica['replicaId'],
      ...{ variantId, resources, status: isComplete ? ('ready' as const) : ('starting' as const) },
    })),
  );
}

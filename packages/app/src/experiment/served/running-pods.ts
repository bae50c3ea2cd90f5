/** Pods of a pipeline as its running plan, for accuracy and cores over time. Routers hold no cores of a plan. */
import type { PipelineSpec, ReplicaId, RunningPlan, RunningReplica, StageId, VariantId } from '@equipoise/core/model';

interface SeenPod {
  readonly metadata: {
    readonly name: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly deletionTimestamp?: string;
  };
  readonly spec?: {
    readonly containers?: readonly { readonly resources?: { readonly requests?: { readonly cpu?: string } } }[];
  };
  readonly status?: {
    readonly phase?: string;
    readonly conditions?: readonly { readonly type: string; readonly status: string }[];
  };
}

export function runningPods({ stages }: Pick<PipelineSpec, 'stages'>, pods: readonly SeenPod[]): RunningPlan {
  const running = stages.map(({ id }): [StageId, RunningPlan['stages'][StageId]] => {
    const own = pods.filter(({ metadata }) => metadata.labels?.['equipoise.dev/stage'] === id);
    return [id, { replicas: own.map(replicaOf), maxBatchSize: 1, maxBatchWaitMs: 0 }];
  });
  return { stages: Object.fromEntries(running) };
}

function replicaOf({ metadata, spec, status }: SeenPod): RunningReplica {
  const isReady = status?.conditions?.some(({ type, status: holds }) => type === 'Ready' && holds === 'True') ?? false;
  const hasEnded = status?.phase === 'Failed' || status?.phase === 'Succeeded';
  const cpuCores = (spec?.containers ?? []).reduce((sum, { resources }) => sum + coresIn(resources?.requests?.cpu), 0);
  return {
    replicaId: metadata.name as ReplicaId,
    variantId: (metadata.labels?.['equipoise.dev/variant'] ?? '') as VariantId,
    resources: { cpuCores, memoryBytes: 0, gpus: 0 },
    status: hasEnded
      ? 'failed'
      : metadata.deletionTimestamp !== undefined
        ? 'draining'
        : isReady
          ? 'ready'
          : 'starting',
  };
}

/** Cores of a quantity such as `250m` or `1.5`. */
function coresIn(quantity = '0'): number {
  return quantity.endsWith('m') ? Number(quantity.slice(0, -1)) / 1000 : Number(quantity);
}

/** What really runs, observed anew on every tick; never remembered, never assumed. */
import type { ReplicaId, StageId, VariantId } from './ids.js';
import type { Resources } from './pipeline-spec.js';

/** Life of a replica: only `ready` ones receive new batches. */
export type ReplicaStatus = 'starting' | 'ready' | 'draining' | 'failed';

/** One running copy of a variant. */
export interface RunningReplica {
  readonly replicaId: ReplicaId;
  readonly variantId: VariantId;
  readonly resources: Resources;
  readonly status: ReplicaStatus;
}

/** The replicas of a stage with the batching that is in force. */
export interface RunningStage {
  readonly replicas: readonly RunningReplica[];
  readonly maxBatchSize: number;
  readonly maxBatchWaitMs: number;
}

/** All stages as they run. */
export interface RunningPlan {
  readonly stages: Readonly<Record<StageId, RunningStage>>;
}

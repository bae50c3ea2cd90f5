import type { Change } from '../model/change.js';
import type { ReplicaId, StageId, VariantId } from '../model/ids.js';
import type { Resources } from '../model/pipeline-spec.js';
import type { HealthIssue, RunningPlan } from '../model/running-plan.js';
import type { ModelRunner } from './model-runner.js';

/**
 * Applies changes one by one, new replicas before old. `apply` resolves when the change is in force. It rejects with
 * AppError if a start failed; the old replicas then still serve. `close` drains everything.
 */
export interface Actuator {
  runningPlan(): RunningPlan;
  apply(change: Change): Promise<void>;
  /** Preempts the change in progress: its `apply` resolves, and started work continues. */
  giveWay(): void;
  close(): Promise<void>;
}

/** Ready replica for the data plane. */
export interface ReadyReplica {
  readonly replicaId: ReplicaId;
  readonly variantId: VariantId;
  readonly resources: Resources;
  readonly runner: ModelRunner;
}

export interface StageBatching {
  readonly maxBatchSize: number;
  readonly maxBatchWaitMs: number;
}

/** Data plane as seen by an actuator. */
export interface ReplicaPool {
  addReplica(stageId: StageId, replica: ReadyReplica): void;
  /** Takes a replica out of service. Resolves when its running batch is done; unknown ids resolve at once. */
  drainReplica(stageId: StageId, replicaId: ReplicaId): Promise<void>;
  setBatching(stageId: StageId, batching: StageBatching): void;
  /** Called after a replica was lost and left service. */
  onReplicaLost(listener: (stageId: StageId, replicaId: ReplicaId) => void): void;
  /** Called after a running replica left service for good because of a health issue. */
  onReplicaUnhealthy(listener: (stageId: StageId, replicaId: ReplicaId, trouble: HealthIssue) => void): void;
}

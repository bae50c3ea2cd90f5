import type { CanaryCounts } from '../model/canary-counts.js';
import type { Change } from '../model/change.js';
import type { ReplicaId, StageId, StageVariant, VariantId } from '../model/ids.js';
import type { Resources } from '../model/pipeline-spec.js';
import type { HealthIssue, RunningPlan } from '../model/running-plan.js';
import type { ModelRunner } from './model-runner.js';

/**
 * Applies changes one by one; new replicas start before old ones drain. `apply` resolves when the change is in force.
 * It rejects with AppError if a start failed; the old replicas still serve. `close` drains everything.
 */
export interface Actuator {
  runningPlan(): RunningPlan;
  apply(change: Change): Promise<void>;
  /** Resolves the running `apply`; its stage continues toward the target. */
  preempt(): void;
  /**
   * Ends canaries without a verdict and resolves the running `apply`; the previous variants serve. With `pinned`, ends
   * only a canary of another variant at that stage. True if one ended.
   */
  endCanary(pinned?: StageVariant): boolean;
  close(): Promise<void>;
}

export interface ReadyReplica {
  readonly replicaId: ReplicaId;
  readonly variantId: VariantId;
  readonly resources: Resources;
  readonly runner: ModelRunner;
  readonly inCanary?: boolean;
}

export interface StageBatching {
  readonly maxBatchSize: number;
  readonly maxBatchWaitMs: number;
}

export interface ReplicaPool {
  addReplica(stageId: StageId, replica: ReadyReplica): void;
  /** Resolves when the replica's running batch is done; unknown ids resolve at once. */
  drainReplica(stageId: StageId, replicaId: ReplicaId): Promise<void>;
  setBatching(stageId: StageId, batching: StageBatching): void;
  /** Opens a canary lane, at first without requests, for replicas `inCanary`. One at a time. */
  openCanary(stageId: StageId, batching: StageBatching): void;
  shareCanary(stageId: StageId, fraction: number): void;
  /** Outcomes since the first request of the canary. */
  canaryCounts(stageId: StageId): CanaryCounts;
  /** Its waiting items, and its replicas that are not draining, join the main lane. */
  closeCanary(stageId: StageId): void;
  onReplicaLost(listener: (stageId: StageId, replicaId: ReplicaId) => void): void;
  /** Called when a replica's batch may hang (`isLate`), and when that batch ends. */
  onReplicaLate(listener: (stageId: StageId, replicaId: ReplicaId, isLate: boolean) => void): void;
  /** Called after an unhealthy replica was removed from service. */
  onReplicaUnhealthy(listener: (stageId: StageId, replicaId: ReplicaId, trouble: HealthIssue) => void): void;
}

import type { CanaryCounts } from '../model/canary-counts.js';
import type { Change } from '../model/change.js';
import type { ReplicaId, StageId, StageVariant, VariantId } from '../model/ids.js';
import type { Resources } from '../model/pipeline-spec.js';
import type { HealthIssue, RunningPlan } from '../model/running-plan.js';
import type { ModelRunner } from './model-runner.js';

/**
 * Applies changes one by one. New replicas start before old ones drain. `apply` resolves when the change is in force.
 * If a start fails, it rejects with AppError, and the old replicas still serve. `close` drains everything.
 */
export interface Actuator {
  runningPlan(): RunningPlan;
  apply(change: Change): Promise<void>;
  /** Resolves the current `apply`. Its stage still moves toward the target. */
  preempt(): void;
  /**
   * Ends canaries without a verdict and resolves the current `apply`; the previous variants serve. With `pinned`, ends
   * only a canary that contradicts that pin. True if one ended.
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
  /** Of the conditions on the stage's answers, if the plan chooses one. */
  readonly threshold?: number;
  /** Of the join whose choice the stage carries, if the plan chooses one. */
  readonly quorum?: number;
}

export interface ReplicaPool {
  addReplica(stageId: StageId, replica: ReadyReplica): void;
  /** Resolves when the replica's current batch is done, or at once for an unknown id. */
  drainReplica(stageId: StageId, replicaId: ReplicaId): Promise<void>;
  setBatching(stageId: StageId, batching: StageBatching): void;
  /** True if new requests skip the stage, which the plan omits. */
  isSkipped(stageId: StageId): boolean;
  /** Opens a canary lane for replicas `inCanary`, at first without requests. Only one may be open. */
  openCanary(stageId: StageId, batching: StageBatching): void;
  shareCanary(stageId: StageId, fraction: number): void;
  /** Outcomes since the canary got its first request. */
  canaryCounts(stageId: StageId): CanaryCounts;
  /** Moves waiting items and all replicas to the main lane. */
  closeCanary(stageId: StageId): void;
  onReplicaLost(listener: (stageId: StageId, replicaId: ReplicaId) => void): void;
  /** Called when a replica's batch may hang (`isLate`), and when such a batch ends. */
  onReplicaLate(listener: (stageId: StageId, replicaId: ReplicaId, isLate: boolean) => void): void;
  /** Called after an unhealthy replica has been removed from service. */
  onReplicaUnhealthy(listener: (stageId: StageId, replicaId: ReplicaId, trouble: HealthIssue) => void): void;
}

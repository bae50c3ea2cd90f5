/** Makes what runs look like what should run. */
import type { Change } from '../model/change.js';
import type { ReplicaId, StageId, VariantId } from '../model/ids.js';
import type { Resources } from '../model/pipeline-spec.js';
import type { HealthIssue, RunningPlan } from '../model/running-plan.js';
import type { ModelRunner } from './model-runner.js';

/**
 * Carries out changes one after another, make before break. `apply` resolves when the change is in force and rejects with
 * AppError when its start failed; the old replicas then still serve. `close` drains everything.
 */
export interface Actuator {
  runningPlan(): RunningPlan;
  apply(change: Change): Promise<void>;
  /** Ends the change under way, so that the next one need not wait for it: its `apply` resolves, and what of it has begun goes on. */
  giveWay(): void;
  close(): Promise<void>;
}

/** A ready replica handed to the data plane. */
export interface ReadyReplica {
  readonly replicaId: ReplicaId;
  readonly variantId: VariantId;
  readonly resources: Resources;
  readonly runner: ModelRunner;
}

/** Batching of a stage as the data plane applies it. */
export interface StageBatching {
  readonly maxBatchSize: number;
  readonly maxBatchWaitMs: number;
}

/** The data plane as an actuator sees it: where ready replicas go and from where they are taken out. */
export interface ReplicaPool {
  addReplica(stageId: StageId, replica: ReadyReplica): void;
  /** Takes a replica out of service; resolves when its running batch is done. Unknown ids resolve at once. */
  drainReplica(stageId: StageId, replicaId: ReplicaId): Promise<void>;
  setBatching(stageId: StageId, batching: StageBatching): void;
  /** Called when a replica was lost; it is out of service by then. */
  onReplicaLost(listener: (stageId: StageId, replicaId: ReplicaId) => void): void;
  /** Called when a replica that still runs is out of service for good, because it hangs or stays bad. */
  onReplicaUnhealthy(listener: (stageId: StageId, replicaId: ReplicaId, trouble: HealthIssue) => void): void;
}

import type { ReplicaId, StageId, VariantId } from './ids.js';
import type { Resources } from './pipeline-spec.js';

/** A replica's batches fail, it is slower than its stage's curve and its peers, or it does not answer. */
export type HealthIssue = 'failing' | 'slow' | 'hung';

/** Only `ready` replicas receive new batches. */
export type ReplicaStatus = 'starting' | 'ready' | 'draining' | 'failed';

export interface RunningReplica {
  readonly replicaId: ReplicaId;
  readonly variantId: VariantId;
  readonly resources: Resources;
  readonly status: ReplicaStatus;
}

export interface RunningStage {
  readonly replicas: readonly RunningReplica[];
  readonly maxBatchSize: number;
  readonly maxBatchWaitMs: number;
  readonly canary?: RunningCanary;
}

/**
 * Canary with a fraction of the requests; `missingOutcomes` are those that its verdict needs beyond the shortest time
 * of its step.
 */
export interface RunningCanary {
  readonly variantId: VariantId;
  readonly fraction: number;
  readonly missingOutcomes: number;
}

/** Observed on every tick and never assumed. */
export interface RunningPlan {
  readonly stages: Readonly<Record<StageId, RunningStage>>;
}

interface Age {
  readonly variantId: VariantId;
  readonly sinceMs: number | undefined;
}

/**
 * Tracks variant switches for the dwell time. The first variant of a stage is no switch, so a restart starts no dwell
 * time.
 */
export class DwellTracker {
  readonly #ages = new Map<StageId, Age>();

  /** The newest ready replica determines the variant of its stage. */
  note(running: RunningPlan, nowMs: number): void {
    for (const [id, { replicas }] of Object.entries(running.stages)) {
      const variantId = replicas.findLast(({ status }) => status === 'ready')?.variantId;
      const known = this.#ages.get(id as StageId);
      if (variantId === undefined || known?.variantId === variantId) continue;
      this.#ages.set(id as StageId, { variantId, sinceMs: known === undefined ? undefined : nowMs });
    }
  }

  /** Last switch; undefined without one. */
  sinceMs(stageId: StageId): number | undefined {
    return this.#ages.get(stageId)?.sinceMs;
  }
}

import type { ReplicaId, StageId, VariantId } from './ids.js';
import type { Resources } from './pipeline-spec.js';

/** What is wrong with a replica: its batches fail as wholes, it is slow against its stage's curve and its peers, or it does not answer. */
export type HealthIssue = 'failing' | 'slow' | 'hung';

/** What really runs, observed anew on every tick; never remembered, never assumed. */

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

/** Since when each stage runs its present variant: what the dwell time of the control loop counts from. */

interface Age {
  readonly variantId: VariantId;
  readonly sinceMs: number | undefined;
}

/** Remembers the instants of variant switches. The first variant of a stage counts as no switch, so nothing dwells after a restart. */
export class DwellTracker {
  readonly #ages = new Map<StageId, Age>();

  /** Looks at what runs at `nowMs`; the newest ready replica speaks for its stage. */
  note(running: RunningPlan, nowMs: number): void {
    for (const [id, { replicas }] of Object.entries(running.stages)) {
      const variantId = replicas.findLast(({ status }) => status === 'ready')?.variantId;
      const known = this.#ages.get(id as StageId);
      if (variantId === undefined || known?.variantId === variantId) continue;
      this.#ages.set(id as StageId, { variantId, sinceMs: known === undefined ? undefined : nowMs });
    }
  }

  /** The instant of the stage's last switch, if there was one. */
  sinceMs(stageId: StageId): number | undefined {
    return this.#ages.get(stageId)?.sinceMs;
  }
}

/** Since when each stage runs its present variant: what the dwell time of the control loop counts from. */
import type { StageId, VariantId } from './ids.js';
import type { RunningPlan } from './running-plan.js';

interface Age {
  readonly variantId: VariantId;
  readonly sinceMs: number | undefined;
}

/** Remembers the instants of variant switches. The first variant of a stage counts as no switch, so nothing dwells after a restart. */
export class VariantAges {
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

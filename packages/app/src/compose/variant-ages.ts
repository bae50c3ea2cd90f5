/** Since when each stage runs its present variant: what the dwell time counts from. Unknown after a restart, so nothing dwells then. */
import type { PipelineSpec, RunningPlan, StageId, VariantId } from '@equipoise/core';

interface Age {
  readonly variantId: VariantId;
  readonly sinceMs: number;
}

/** Remembers the instants of variant switches. */
export class VariantAges {
  readonly #ages = new Map<StageId, Age | undefined>();

  constructor(spec: PipelineSpec) {
    for (const { id } of spec.stages) this.#ages.set(id, undefined);
  }

  /** Looks at what a stage runs after a change at `nowMs`; the first variant of a stage counts as no switch. */
  note(running: RunningPlan, nowMs: number, stageId: StageId): void {
    const variantId = running.stages[stageId]?.replicas.findLast(({ status }) => status === 'ready')?.variantId;
    const known = this.#ages.get(stageId);
    if (variantId === undefined || known?.variantId === variantId) return;
    this.#ages.set(stageId, { variantId, sinceMs: known === undefined ? Number.NEGATIVE_INFINITY : nowMs });
  }

  sinceMs(stageId: StageId): number | undefined {
    const age = this.#ages.get(stageId);
    return age === undefined || age.sinceMs === Number.NEGATIVE_INFINITY ? undefined : age.sinceMs;
  }
}

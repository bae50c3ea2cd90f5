/**
 * Outcome of the last decision's changes: applied (the status says so), failed (rolled back) or refused (in back-off).
 */
import { type Change, type LastChange, lastChangeOf, type PipelineSpec, type Plan } from '@equipoise/core/model';
import { objectName } from '../cluster/object-names.js';
import type { InferencePipeline } from '../cluster/observed-objects.js';
import { heldUntilMs } from '../reconcile/rollback.js';

export class ChangeOutcome {
  #changes: readonly Change[] | undefined;
  #outcome: LastChange | undefined;

  begin(changes: readonly Change[]): void {
    this.#changes = changes;
    this.#outcome = undefined;
  }

  markApplied(): void {
    this.#end('applied');
  }

  markFailed(): void {
    this.#end('failed');
  }

  markRefused(changes: readonly Change[]): void {
    this.#changes = changes;
    this.#end('given-up');
  }

  take(): LastChange | undefined {
    const told = this.#outcome;
    this.#outcome = undefined;
    return told;
  }

  #end(kind: LastChange['kind']): void {
    if (this.#changes === undefined) return;
    this.#outcome = lastChangeOf(kind, this.#changes, kind === 'applied' ? this.#changes.length : 0);
    this.#changes = undefined;
  }
}

/** True if the plan has new workloads in back-off. */
export function isHeldBack(
  pipeline: InferencePipeline,
  { name, stages }: Pick<PipelineSpec, 'name' | 'stages'>,
  { plan, routed, nowEpochMs }: { readonly plan: Plan; readonly routed: Plan | undefined; readonly nowEpochMs: number },
): boolean {
  const workloadsOf = (of: Plan | undefined) =>
    stages.flatMap(({ id }) => (of?.stages[id] ?? []).map(({ variantId }) => objectName(name, id, variantId)));
  // Routed workloads have served before.
  const serving = workloadsOf(routed);
  const brought = workloadsOf(plan).filter((workload) => !serving.includes(workload));
  return heldUntilMs(pipeline, brought, nowEpochMs) !== undefined;
}

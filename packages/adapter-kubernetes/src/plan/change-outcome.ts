/**
 * How the last decision's changes ended, for the policy, as the status tells it: a plan is in force when everything runs as it says, and a
 * plan that failed when it was tried is a change that failed. What is decided anew while that plan is left alone is given up.
 */
import { type Change, type LastChange, lastChangeOf, type PipelineSpec, type Plan } from '@equipoise/core/model';
import { objectName } from '../cluster/object-names.js';
import type { InferencePipeline } from '../cluster/observed-objects.js';
import { heldUntilMs } from '../reconcile/rollback.js';

export class ChangeOutcome {
  #changes: readonly Change[] | undefined;
  #outcome: LastChange | undefined;

  /** The changes of a decision that is being carried out. */
  begin(changes: readonly Change[]): void {
    this.#changes = changes;
    this.#outcome = undefined;
  }

  /** All of it is in force. */
  markApplied(): void {
    this.#end('applied');
  }

  /** It was tried and taken back. */
  markFailed(): void {
    this.#end('failed');
  }

  /** It was not even begun. */
  markRefused(changes: readonly Change[]): void {
    this.#changes = changes;
    this.#end('given-up');
  }

  /** What the policy has not been told yet; afterwards it has. */
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

/** Whether a plan has workloads that failed lately and are left alone for now. */
export function isHeldBack(
  pipeline: InferencePipeline,
  { name, stages }: Pick<PipelineSpec, 'name' | 'stages'>,
  { plan, routed, nowEpochMs }: { readonly plan: Plan; readonly routed: Plan | undefined; readonly nowEpochMs: number },
): boolean {
  const workloadsOf = (of: Plan | undefined) =>
    stages.flatMap(({ id }) => (of?.stages[id] ?? []).map(({ variantId }) => objectName(name, id, variantId)));
  // What the router sends to has served before.
  const serving = workloadsOf(routed);
  const brought = workloadsOf(plan).filter((workload) => !serving.includes(workload));
  return heldUntilMs(pipeline, brought, nowEpochMs) !== undefined;
}

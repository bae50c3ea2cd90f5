import type { StageId, VariantId } from './ids.js';
import type { Resources } from './pipeline-spec.js';
import type { StagePlan } from './plan.js';

/**
 * Idempotent step from the running plan toward the target plan. `to` is the stage's complete target. The actuator
 * starts and warms new replicas before it drains old ones.
 */
export type Change = (
  | { readonly kind: 'scale'; readonly stageId: StageId; readonly fromReplicas: number; readonly to: StagePlan }
  | {
      readonly kind: 'switch-variant';
      readonly stageId: StageId;
      readonly fromVariantId: VariantId | undefined;
      readonly to: StagePlan;
    }
  | { readonly kind: 'set-batch'; readonly stageId: StageId; readonly to: StagePlan }
  | {
      readonly kind: 'set-threshold';
      readonly stageId: StageId;
      readonly fromThreshold: number | undefined;
      readonly to: StagePlan;
    }
  | {
      readonly kind: 'set-quorum';
      readonly stageId: StageId;
      readonly fromQuorum: number | undefined;
      readonly to: StagePlan;
    }
  | {
      readonly kind: 'set-resources';
      readonly stageId: StageId;
      readonly fromResources: Resources;
      readonly to: StagePlan;
    }
) & {
  /** Skips the canary. For answers to bursts and rises, and roll-backs. */
  readonly atOnce?: true;
  /** Ends the canary after its first step. For a variant that a person pinned. */
  readonly oneStep?: true;
};

/**
 * Outcome of a decision's changes. `given-up`: a shutdown, person, burst or rise stopped the remaining changes. A stage with
 * several changes may be in both lists.
 */
export interface LastChange {
  readonly kind: 'applied' | 'failed' | 'given-up';
  readonly changed: readonly StageId[];
  readonly unchanged: readonly StageId[];
}

export function lastChangeOf(kind: LastChange['kind'], changes: readonly Change[], done: number): LastChange {
  const stagesOf = (some: readonly Change[]) => [...new Set(some.map(({ stageId }) => stageId))];
  return { kind, changed: stagesOf(changes.slice(0, done)), unchanged: stagesOf(changes.slice(done)) };
}

import type { StageId, VariantId } from './ids.js';
import type { Resources } from './pipeline-spec.js';
import type { StagePlan } from './plan.js';

/**
 * One step from the running plan toward the wanted one. Each is idempotent and complete in itself: an actuator that
 * carries it out starts and warms what is new before it drains what is old, so capacity rises before it falls.
 */

/** A step between two plans; `to` is the stage's whole target, so that a repeated step finds nothing to do. */
export type Change =
  | { readonly kind: 'scale'; readonly stageId: StageId; readonly fromReplicas: number; readonly to: StagePlan }
  | {
      readonly kind: 'switch-variant';
      readonly stageId: StageId;
      readonly fromVariantId: VariantId | undefined;
      readonly to: StagePlan;
    }
  | { readonly kind: 'set-batch'; readonly stageId: StageId; readonly to: StagePlan }
  | {
      readonly kind: 'set-resources';
      readonly stageId: StageId;
      readonly fromResources: Resources;
      readonly to: StagePlan;
    };

/** What became of a decision's changes, as the next observation tells it. Plain data. */

/**
 * All were carried out, one failed, or the rest was given up (at a stop, because a person took the loop off, or for the answer to a burst). `changed` are the stages of
 * those that were carried out, `unchanged` those of the others: a stage with several may be among both.
 */
export interface LastChange {
  readonly kind: 'applied' | 'failed' | 'given-up';
  readonly changed: readonly StageId[];
  readonly unchanged: readonly StageId[];
}

/** How `changes` ended of which the first `done` were carried out. */
export function lastChangeOf(kind: LastChange['kind'], changes: readonly Change[], done: number): LastChange {
  const stagesOf = (some: readonly Change[]) => [...new Set(some.map(({ stageId }) => stageId))];
  return { kind, changed: stagesOf(changes.slice(0, done)), unchanged: stagesOf(changes.slice(done)) };
}

/**
 * One step from the running plan toward the wanted one. Each is idempotent and complete in itself: an actuator that
 * carries it out starts and warms what is new before it drains what is old, so capacity rises before it falls.
 */
import type { StageId, VariantId } from './ids.js';
import type { Resources } from './pipeline-spec.js';
import type { StagePlan } from './plan.js';

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

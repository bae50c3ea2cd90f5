/** Events of the control loop. */
import type {
  ControlMode,
  Decision,
  DecisionRecord,
  LaterFacts,
  Plan,
  StageId,
  VariantId,
} from '@equipoise/core/model';

export type LoopStep = 'observe' | 'forecast' | 'decide' | 'apply' | 'store';

/**
 * `decided` comes before anything is applied, `manual` is an action without a plan, `amended` brings later facts of a
 * decision. A failed step is at fault until it has `recovered`.
 */
export type LoopEvent =
  | { readonly kind: 'decided'; readonly record: DecisionRecord & { readonly decision: Decision } }
  | { readonly kind: 'manual'; readonly record: DecisionRecord; readonly mode: ControlMode }
  | ({ readonly kind: 'amended'; readonly id: number } & LaterFacts)
  | { readonly kind: 'in-force'; readonly plan: Plan; readonly tookMs: number }
  | { readonly kind: 'replica-replaced'; readonly stageId: StageId; readonly error: unknown }
  | CanaryEvent
  | { readonly kind: 'failed'; readonly step: LoopStep; readonly error: unknown }
  | { readonly kind: 'recovered'; readonly step: LoopStep };

/**
 * A step gives a new variant the fraction of its stage's requests. Its canary has `passed`, is `rolled-back`, or has
 * `ended` without a verdict.
 */
export interface CanaryEvent {
  readonly kind: 'canary';
  readonly stageId: StageId;
  readonly variantId: VariantId;
  readonly state: 'step' | 'passed' | 'rolled-back' | 'ended';
  readonly fraction: number;
  readonly why?: string;
}

export const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

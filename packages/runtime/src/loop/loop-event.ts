/** Events of the control loop. */
import type { ControlMode, Decision, DecisionRecord, LaterFacts, Plan, StageId } from '@equipoise/core/model';

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
  | { readonly kind: 'failed'; readonly step: LoopStep; readonly error: unknown }
  | { readonly kind: 'recovered'; readonly step: LoopStep };

export const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

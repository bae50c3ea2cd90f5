import type {
  ControlMode,
  Decision,
  DecisionRecord,
  LaterFacts,
  Plan,
  StageId,
  VariantId,
} from '@equipoise/core/model';
import type { QuarantinedInput } from '../data-plane/quarantined-input.js';

/**
 * `accuracy` and `agreement` fail while the accuracy in operation, or the agreement with a shadow, is lower than expected;
 * `shadow` while a shadow does not run.
 */
export type LoopStep = 'observe' | 'forecast' | 'decide' | 'apply' | 'store' | 'accuracy' | 'agreement' | 'shadow';

/**
 * `decided` comes before any change is applied. `manual` is an action without a plan. `amended` brings later facts
 * about a decision. A failed step has a fault until it has `recovered`.
 */
export type LoopEvent =
  | { readonly kind: 'decided'; readonly record: DecisionRecord & { readonly decision: Decision } }
  | { readonly kind: 'manual'; readonly record: DecisionRecord; readonly mode: ControlMode }
  | ({ readonly kind: 'amended'; readonly id: number } & LaterFacts)
  | { readonly kind: 'in-force'; readonly plan: Plan; readonly tookMs: number }
  | { readonly kind: 'replica-replaced'; readonly stageId: StageId; readonly error: unknown }
  | ({ readonly kind: 'input-quarantined' } & QuarantinedInput)
  | CanaryEvent
  | { readonly kind: 'failed'; readonly step: LoopStep; readonly error: unknown }
  | { readonly kind: 'recovered'; readonly step: LoopStep };

/**
 * A canary `step` sends `fraction` of the stage's requests to the variant. The canary has `passed`, is `rolled-back`,
 * or has `ended` without a verdict.
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

/** `message` is of the latest failure; `count` counts the failures since the fault began. */
export interface ActiveFault {
  readonly step: LoopStep;
  readonly message: string;
  readonly sinceEpochMs: number;
  readonly count: number;
}

/** A fault lasts from a step's first failure until the step succeeds. Reports each failure and recovery. */
export class ActiveFaults {
  readonly #faults = new Map<LoopStep, ActiveFault>();
  readonly #epochNowMs: () => number;
  readonly #report: (event: LoopEvent) => void;

  constructor(epochNowMs: () => number, report: (event: LoopEvent) => void) {
    this.#epochNowMs = epochNowMs;
    this.#report = report;
  }

  raise(step: LoopStep, error: unknown): void {
    const { sinceEpochMs = this.#epochNowMs(), count = 0 } = this.#faults.get(step) ?? {};
    this.#faults.set(step, { step, message: messageOf(error), sinceEpochMs, count: count + 1 });
    this.#report({ kind: 'failed', step, error });
  }

  clear(step: LoopStep): void {
    if (this.#faults.delete(step)) this.#report({ kind: 'recovered', step });
  }

  /** Undefined if the action fails. */
  async attempt<Result>(step: LoopStep, action: () => Promise<Result>): Promise<Result | undefined> {
    try {
      const result = await action();
      this.clear(step);
      return result;
    } catch (error) {
      this.raise(step, error);
      return undefined;
    }
  }

  /** Oldest first. */
  get all(): readonly ActiveFault[] {
    return [...this.#faults.values()];
  }
}

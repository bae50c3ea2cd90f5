/** Faults of loop steps, from their first failure until they succeed again. */
import { type LoopEvent, type LoopStep, messageOf } from './loop-event.js';

/** `message` is the latest, `count` the failures since it began. */
export interface ActiveFault {
  readonly step: LoopStep;
  readonly message: string;
  readonly sinceEpochMs: number;
  readonly count: number;
}

/** Keeps faults and reports each failure and recovery. */
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

  /** Active faults, oldest first. */
  get all(): readonly ActiveFault[] {
    return [...this.#faults.values()];
  }
}

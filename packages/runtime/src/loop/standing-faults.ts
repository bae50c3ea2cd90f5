/** Which steps of the loop are at fault: from their first failure until they succeed again. */
import { type LoopEvent, type LoopStep, messageOf } from './loop-event.js';

/** A step that fails; `message` is that of the last time, `count` how often since it began. */
export interface StandingFault {
  readonly step: LoopStep;
  readonly message: string;
  readonly sinceEpochMs: number;
  readonly count: number;
}

/** Keeps the faults and tells of each failure and each recovery. */
export class StandingFaults {
  readonly #faults = new Map<LoopStep, StandingFault>();
  readonly #epochNowMs: () => number;
  readonly #report: (event: LoopEvent) => void;

  constructor(epochNowMs: () => number, report: (event: LoopEvent) => void) {
    this.#epochNowMs = epochNowMs;
    this.#report = report;
  }

  failed(step: LoopStep, error: unknown): void {
    const { sinceEpochMs = this.#epochNowMs(), count = 0 } = this.#faults.get(step) ?? {};
    this.#faults.set(step, { step, message: messageOf(error), sinceEpochMs, count: count + 1 });
    this.#report({ kind: 'failed', step, error });
  }

  well(step: LoopStep): void {
    if (this.#faults.delete(step)) this.#report({ kind: 'recovered', step });
  }

  /** Does something and notes how it went; undefined where it failed. */
  async attempt<Result>(step: LoopStep, action: () => Promise<Result>): Promise<Result | undefined> {
    try {
      const result = await action();
      this.well(step);
      return result;
    } catch (error) {
      this.failed(step, error);
      return undefined;
    }
  }

  /** Those that stand, in the order in which they began. */
  get all(): readonly StandingFault[] {
    return [...this.#faults.values()];
  }
}

/**
 * Outcomes of decisions: counts requests until the next plan change, for at most a minute. Adds the counts to the log
 * entry, at first after ten seconds.
 */
import type { ObservedOutcome } from '@equipoise/core/model';
import type { RequestStatistics } from '../data-plane/request-statistics.js';
import type { LogEntry } from './decision-log.js';

const WINDOW_MS = 60_000;
const FIRST_MS = 10_000;

export interface TrackedPipeline {
  readonly nowMs: number;
  readonly statistics: Pick<RequestStatistics, 'recentSeconds' | 'recentLatencies'>;
}

export class OutcomeTracker {
  readonly #pipeline: TrackedPipeline;
  readonly #percentile: number;
  #tracked: { readonly entry: LogEntry; readonly fromMs: number; hasFirst: boolean }[] = [];

  constructor(pipeline: TrackedPipeline, percentile: number) {
    this.#pipeline = pipeline;
    this.#percentile = percentile;
  }

  track(entry: LogEntry): void {
    this.#tracked.push({ entry, fromMs: this.#pipeline.nowMs, hasFirst: false });
  }

  /** Call at every tick. */
  tick(): void {
    this.#end((fromMs, nowMs) => nowMs - fromMs >= WINDOW_MS);
    const { nowMs } = this.#pipeline;
    for (const tracked of this.#tracked) {
      if (tracked.hasFirst || nowMs - tracked.fromMs < FIRST_MS) continue;
      tracked.hasFirst = true;
      this.#amend(tracked, nowMs);
    }
  }

  /** Call before the plan changes, and at the end. */
  endAll(): void {
    this.#end(() => true);
  }

  #end(isOver: (fromMs: number, nowMs: number) => boolean): void {
    const { nowMs } = this.#pipeline;
    const over = this.#tracked.filter(({ fromMs }) => isOver(fromMs, nowMs));
    this.#tracked = this.#tracked.filter(({ fromMs }) => !isOver(fromMs, nowMs));
    for (const tracked of over) this.#amend(tracked, nowMs);
  }

  #amend({ entry, fromMs }: { readonly entry: LogEntry; readonly fromMs: number }, nowMs: number): void {
    const observed = this.#observed(fromMs, nowMs);
    if (observed !== undefined) entry.amend({ observed });
  }

  /** Outcome over the whole seconds in the window; undefined if there are none. */
  #observed(fromMs: number, nowMs: number): ObservedOutcome | undefined {
    const { statistics } = this.#pipeline;
    const seconds = Math.floor(Math.min(WINDOW_MS, nowMs - fromMs) / 1000);
    const records = seconds < 1 ? [] : statistics.recentSeconds(nowMs, seconds);
    if (records.length === 0) return undefined;
    const sum = (count: (record: (typeof records)[number]) => number) =>
      records.reduce((total, record) => total + count(record), 0);
    const dropped = sum((record) => Object.values(record.dropped).reduce((all, count) => all + count, 0));
    const [completed, failed] = [sum((record) => record.completed), sum((record) => record.failed)];
    const ended = completed + failed + dropped;
    const latencies = statistics.recentLatencies(nowMs, records.length);
    return {
      windowMs: 1000 * records.length,
      arrivalRps: sum((record) => record.arrived) / records.length,
      ...{ completed, failed, dropped },
      ...(ended > 0 && { sloAttainmentFraction: sum((record) => record.withinSlo) / ended }),
      ...(latencies.count > 0 && {
        latencyMs: { p50: latencies.quantileMs(0.5), atPercentile: latencies.quantileMs(this.#percentile / 100) },
      }),
    };
  }
}

/**
 * Fraction of requests within the SLO. Tells if the sample is conclusive.
 *
 * Late requests cluster. Batch means estimate a factor D, so that N requests are worth N ÷ D independent ones (Law,
 * Simulation Modeling and Analysis, §9.5.3).
 */

import type { MeanInterval } from '../kernel/mean-interval.js';
import { studentQuantile } from '../kernel/student-quantile.js';
import { wilsonInterval } from '../kernel/wilson-interval.js';
import { orderStatistic } from './order-statistic.js';

/** Spans of `spanMs` by arrival, starting at `fromMs`. Later arrivals count in the last span. */
export interface CountedTime {
  readonly fromMs: number;
  readonly spanMs: number;
  readonly spans: number;
}

/**
 * `latencyMs` is the quantile at the requested fraction. `conclusive`: the 99 % interval excludes this fraction.
 * `lowFraction`: lower end of the interval.
 */
export interface AttainmentVerdict {
  readonly latencyMs: number;
  readonly sloAttainmentFraction: number;
  readonly lowFraction: number;
  readonly conclusive: boolean;
}

/** Requests of one run: all that arrived, and those within the SLO. */
export interface AttainmentCounts {
  readonly arrived: number;
  readonly withinSlo: number;
}

/**
 * Attainment of several runs with its 95 % interval: Wilson's, with Student's quantile and the dispersion between the
 * runs, at least that of independent requests. So runs without a miss still have an interval. Unbounded for one run;
 * without a request, anything is possible.
 */
export function attainmentInterval95(runs: readonly AttainmentCounts[]): MeanInterval {
  const arrived = runs.reduce((sum, run) => sum + run.arrived, 0);
  const missed = runs.reduce((sum, run) => sum + run.arrived - run.withinSlo, 0);
  const mean = arrived === 0 ? 1 : 1 - missed / arrived;
  if (arrived === 0) return { mean, low: 0, high: 1 };
  if (runs.length < 2) return { mean, low: Number.NEGATIVE_INFINITY, high: Number.POSITIVE_INFINITY };
  const over = Float64Array.from(runs, (run) => run.arrived - run.withinSlo);
  const all = Float64Array.from(runs, (run) => run.arrived);
  const dispersion = Math.max(1, dispersionOf({ over, all, fraction: 1 - mean }));
  const { low, high } = wilsonInterval(mean, arrived / dispersion, studentQuantile(0.975, runs.length - 1));
  // Without a miss, rounding can put the upper bound below the mean.
  return { mean, low: Math.min(mean, low), high: Math.max(mean, high) };
}

const NOT_SLOW = 0.9;
const FEWEST_PAIRS = 5;
/** Minimums for ignoring the slowest tenth: SLO ÷ percentile of each part, parts with arrivals, time ÷ longest queue. */
const ROOM = 3;
const FEWEST_PARTS = 10;
const FEWEST_QUEUE_TIMES = 15;

export class AttainmentSample {
  readonly #time: CountedTime;
  readonly #sloLatencyMs: number;
  readonly #latenciesMs: number[] = [];
  /** Arrivals since the beginning of the counted time. */
  readonly #arrivalsMs: number[] = [];
  /** Longest counted time in which a queue was never empty. */
  #longestQueueMs = 0;

  constructor(time: CountedTime, sloLatencyMs: number) {
    this.#time = time;
    this.#sloLatencyMs = sloLatencyMs;
  }

  add(arrivedAtMs: number, latencyMs: number): void {
    const { fromMs } = this.#time;
    if (arrivedAtMs < fromMs) return;
    this.#arrivalsMs.push(arrivedAtMs - fromMs);
    this.#latenciesMs.push(latencyMs);
  }

  /** Notes a time in which a queue was never empty. */
  noteQueue(sinceMs: number, untilMs: number): void {
    const { fromMs, spanMs, spans } = this.#time;
    const countedMs = Math.min(untilMs, fromMs + spans * spanMs) - Math.max(sinceMs, fromMs);
    if (countedMs > this.#longestQueueMs) this.#longestQueueMs = countedMs;
  }

  /** An empty sample has attainment 1 and is inconclusive. */
  verdict(fraction: number): AttainmentVerdict {
    const count = this.#latenciesMs.length;
    if (count === 0) return { latencyMs: 0, sloAttainmentFraction: 1, lowFraction: 0, conclusive: false };
    const latenciesMs = new Float64Array(this.#latenciesMs);
    const quantile = (of: number) =>
      orderStatistic(latenciesMs, Math.min(count - 1, Math.max(0, Math.ceil(of * count) - 1)));
    const late = this.#over(this.#sloLatencyMs);
    const slow = this.#over(quantile(NOT_SLOW));
    const dispersion = Math.max(1, late.dispersion, slow.dispersion, slow.pairedDispersion);
    const attained = 1 - late.fraction;
    const latencyMs = quantile(fraction);
    const t = studentQuantile(0.995, this.#time.spans - 1);
    const verdictBy = (by: number): AttainmentVerdict => {
      const { low, high } = wilsonInterval(attained, count / by, t);
      const conclusive = low > fraction || high < fraction;
      return { latencyMs, sloAttainmentFraction: attained, lowFraction: low, conclusive };
    };
    const verdict = verdictBy(dispersion);
    if (verdict.conclusive || !this.#isFarBelow(fraction)) return verdict;
    const lateAlone = Math.max(1, late.dispersion, late.pairedDispersion);
    const { spanMs, spans } = this.#time;
    const missing = (FEWEST_QUEUE_TIMES * this.#longestQueueMs) / (spans * spanMs);
    // Too short a time is worth its part of the requests that would be enough.
    const enough = (t ** 2 * fraction) / (1 - fraction);
    const byQueue = missing > 1 ? (count / enough) * missing : 1;
    return verdictBy(Math.min(dispersion, Math.max(lateAlone, byQueue)));
  }

  #isFarBelow(fraction: number): boolean {
    const { spans } = this.#time;
    const parts = spans * Math.ceil(FEWEST_PARTS / spans);
    const { over, all } = this.#countsOver(this.#sloLatencyMs / ROOM, parts);
    return (
      all.filter((count) => count > 0).length >= FEWEST_PARTS &&
      all.every((count, part) => count - (over[part] as number) >= fraction * count)
    );
  }

  /** Requests above a limit, and all, in equal parts of the counted time. */
  #countsOver(limitMs: number, parts: number): Pick<SpanCounts, 'over' | 'all'> {
    const { spanMs, spans } = this.#time;
    const partMs = spanMs / (parts / spans);
    const over = new Float64Array(parts);
    const all = new Float64Array(parts);
    for (let i = 0; i < this.#latenciesMs.length; i++) {
      const part = Math.min(parts - 1, Math.floor((this.#arrivalsMs[i] as number) / partMs));
      all[part] = (all[part] as number) + 1;
      if ((this.#latenciesMs[i] as number) > limitMs) over[part] = (over[part] as number) + 1;
    }
    return { over, all };
  }

  /** Fraction of requests above a limit; variance of their counts ÷ variance for independent requests. */
  #over(limitMs: number) {
    const { spans } = this.#time;
    const { over, all } = this.#countsOver(limitMs, spans);
    const total = over.reduce((sum, count) => sum + count, 0);
    const fraction = total / this.#latenciesMs.length;
    const dispersion = dispersionOf({ over, all, fraction });
    const paired = spans >= 2 * FEWEST_PAIRS;
    const pairedDispersion = paired ? dispersionOf({ over: inPairs(over), all: inPairs(all), fraction }) : 0;
    return { fraction, dispersion, pairedDispersion };
  }
}

interface SpanCounts {
  readonly over: Float64Array;
  readonly all: Float64Array;
  readonly fraction: number;
}

/** 0 without counts. */
function dispersionOf({ over, all, fraction }: SpanCounts): number {
  const independent = (all.reduce((sum, count) => sum + count, 0) / all.length) * fraction * (1 - fraction);
  const squares = over.reduce((sum, count, span) => sum + (count - fraction * (all[span] as number)) ** 2, 0);
  return independent > 0 && all.length > 1 ? squares / (all.length - 1) / independent : 0;
}

function inPairs(counts: Float64Array): Float64Array {
  const pairs = Math.floor(counts.length / 2);
  return Float64Array.from({ length: pairs }, (_, i) => (counts[2 * i] as number) + (counts[2 * i + 1] as number));
}

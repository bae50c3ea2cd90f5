/** The figures of a slice, of what was served and of what was simulated alike. */
import type { Ends } from './simulate-slice.js';

/** Percentiles over completed requests, drops over all; the rate is that of completions after the first quarter, while requests still arrive. */
export interface Figures {
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly droppedFraction: number;
  readonly completedRps: number;
}

/** Nearest-rank quantile. */
export function quantile(values: readonly number[], fraction: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(fraction * sorted.length) - 1)] ?? Number.NaN;
}

/** The median. */
export const median = (values: readonly number[]): number => quantile(values, 0.5);

/** Figures of one timeline whose last request arrived at `lastArrivalMs`. */
export function figuresOf({ endedAtMs, latencyMs }: Ends, lastArrivalMs: number): Figures {
  const completed = latencyMs.filter((ms): ms is number => ms !== undefined);
  const fromMs = lastArrivalMs / 4;
  const counted = endedAtMs.filter((atMs, i) => latencyMs[i] !== undefined && atMs > fromMs && atMs <= lastArrivalMs);
  return {
    p50Ms: quantile(completed, 0.5),
    p99Ms: quantile(completed, 0.99),
    droppedFraction: 1 - completed.length / latencyMs.length,
    completedRps: (1000 * counted.length) / (lastArrivalMs - fromMs),
  };
}

/** The median of every figure. */
export function medianFigures(all: readonly Figures[]): Figures {
  const of = (field: keyof Figures) => median(all.map((figures) => figures[field]));
  return {
    p50Ms: of('p50Ms'),
    p99Ms: of('p99Ms'),
    droppedFraction: of('droppedFraction'),
    completedRps: of('completedRps'),
  };
}

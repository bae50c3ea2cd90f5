/** The figures of a load, of what was served and of what was simulated alike. */

/** Ends of requests in one timeline: instants from the first arrival on; a dropped one has no latency. */
export interface Ends {
  readonly endedAtMs: readonly number[];
  readonly latencyMs: readonly (number | undefined)[];
  readonly lastArrivalMs: number;
}

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

/** Figures over all segments of a load. */
export function figuresOf(segments: readonly Ends[]): Figures {
  const latencies = segments.flatMap(({ latencyMs }) => latencyMs);
  const completed = latencies.filter((ms) => ms !== undefined);
  const counted = segments.map(completedLater);
  const sum = (of: (segment: (typeof counted)[number]) => number) =>
    counted.reduce((total, segment) => total + of(segment), 0);
  return {
    p50Ms: quantile(completed, 0.5),
    p99Ms: quantile(completed, 0.99),
    droppedFraction: 1 - completed.length / latencies.length,
    completedRps: (1000 * sum(({ requests }) => requests)) / sum(({ ms }) => ms),
  };
}

/** Completions after the first quarter of the time in which requests arrive, until its end. */
function completedLater({ endedAtMs, latencyMs, lastArrivalMs }: Ends) {
  const fromMs = lastArrivalMs / 4;
  const ends = endedAtMs.filter((atMs, i) => latencyMs[i] !== undefined && atMs > fromMs && atMs <= lastArrivalMs);
  return { requests: ends.length, ms: lastArrivalMs - fromMs };
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

/** The figures of a load, of what was served and of what was simulated alike. */

/** How a request ended, in instants from the first arrival of its timeline on; a dropped one has no latency. */
export interface End {
  readonly arrivedAtMs: number;
  readonly endedAtMs: number;
  readonly latencyMs: number | undefined;
}

/** All ends of one timeline. */
export interface Timeline {
  readonly ends: readonly End[];
  readonly lastArrivalMs: number;
}

/**
 * Percentiles over completed requests; drops over those that arrive after the first quarter of the time in which requests arrive, and
 * the rate of completions from then until its end.
 */
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
export function figuresOf(segments: readonly Timeline[]): Figures {
  const all = segments.flatMap(({ ends }) => ends.map(({ latencyMs }) => latencyMs));
  const completed = all.filter((ms) => ms !== undefined);
  const counts = segments.map(countsLater);
  const sum = (of: (count: (typeof counts)[number]) => number) => counts.reduce((total, count) => total + of(count), 0);
  return {
    p50Ms: quantile(completed, 0.5),
    p99Ms: quantile(completed, 0.99),
    droppedFraction: sum(({ dropped }) => dropped) / sum(({ arrived }) => arrived),
    completedRps: (1000 * sum((count) => count.completed)) / sum(({ ms }) => ms),
  };
}

function countsLater({ ends, lastArrivalMs }: Timeline) {
  const fromMs = lastArrivalMs / 4;
  const later = ends.filter(({ arrivedAtMs }) => arrivedAtMs > fromMs);
  const completed = ends.filter(
    ({ endedAtMs, latencyMs }) => latencyMs !== undefined && endedAtMs > fromMs && endedAtMs <= lastArrivalMs,
  );
  return {
    arrived: later.length,
    dropped: later.filter(({ latencyMs }) => latencyMs === undefined).length,
    completed: completed.length,
    ms: lastArrivalMs - fromMs,
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

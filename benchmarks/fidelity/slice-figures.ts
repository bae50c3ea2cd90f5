/** End of a request, relative to the first arrival. A dropped request has no latency. */
export interface End {
  readonly arrivedAtMs: number;
  readonly endedAtMs: number;
  readonly latencyMs: number | undefined;
}

/** Ends of one timeline, and the span for throughput and drops. */
export interface Timeline {
  readonly ends: readonly End[];
  readonly countFromMs: number;
  readonly countToMs: number;
}

/** Percentiles of completed requests. The dropped fraction and the completion rate are of the counted span. */
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

export const median = (values: readonly number[]): number => quantile(values, 0.5);

export function figuresOf(segments: readonly Timeline[]): Figures {
  const all = segments.flatMap(({ ends }) => ends.map(({ latencyMs }) => latencyMs));
  const completed = all.filter((ms) => ms !== undefined);
  const counts = segments.map(counted);
  const sum = (of: (count: (typeof counts)[number]) => number) => counts.reduce((total, count) => total + of(count), 0);
  return {
    p50Ms: quantile(completed, 0.5),
    p99Ms: quantile(completed, 0.99),
    droppedFraction: sum(({ dropped }) => dropped) / sum(({ arrived }) => arrived),
    completedRps: (1000 * sum((count) => count.completed)) / sum(({ ms }) => ms),
  };
}

function counted({ ends, countFromMs, countToMs }: Timeline) {
  const within = (atMs: number) => atMs > countFromMs && atMs <= countToMs;
  const arrived = ends.filter(({ arrivedAtMs }) => within(arrivedAtMs));
  return {
    arrived: arrived.length,
    dropped: arrived.filter(({ latencyMs }) => latencyMs === undefined).length,
    completed: ends.filter(({ endedAtMs, latencyMs }) => latencyMs !== undefined && within(endedAtMs)).length,
    ms: countToMs - countFromMs,
  };
}

export function medianFigures(all: readonly Figures[]): Figures {
  const of = (field: keyof Figures) => median(all.map((figures) => figures[field]));
  return {
    p50Ms: of('p50Ms'),
    p99Ms: of('p99Ms'),
    droppedFraction: of('droppedFraction'),
    completedRps: of('completedRps'),
  };
}

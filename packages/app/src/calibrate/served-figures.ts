/** Latency, throughput and drops of requests, served or simulated. */

/** Times count from the first arrival of a segment. A dropped request has no latency. */
export interface EndedRequest {
  readonly arrivedAtMs: number;
  readonly endedAtMs: number;
  readonly latencyMs: number | undefined;
}

/** Requests of a segment, and the span in which throughput and drops count. */
export interface Timeline {
  readonly ends: readonly EndedRequest[];
  readonly countFromMs: number;
  readonly countToMs: number;
}

/** Percentiles of completed requests. The dropped fraction and the completion rate are of the counted span. */
export interface ServiceFiguresUnderLoad {
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly droppedFraction: number;
  readonly completedRps: number;
}

/** Nearest rank; NaN without values. */
function latencyQuantile(values: readonly number[], fraction: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(fraction * sorted.length) - 1)] ?? Number.NaN;
}

export function figuresOf(timelines: readonly Timeline[]): ServiceFiguresUnderLoad {
  const completed = timelines.flatMap(({ ends }) => ends.flatMap(({ latencyMs }) => latencyMs ?? []));
  const counts = timelines.map(counted);
  const sum = (of: (count: (typeof counts)[number]) => number) => counts.reduce((total, count) => total + of(count), 0);
  return {
    p50Ms: latencyQuantile(completed, 0.5),
    p99Ms: latencyQuantile(completed, 0.99),
    droppedFraction:
      sum(({ dropped }) => dropped) /
      Math.max(
        1,
        sum(({ arrived }) => arrived),
      ),
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

export function medianFigures(all: readonly ServiceFiguresUnderLoad[]): ServiceFiguresUnderLoad {
  const of = (field: keyof ServiceFiguresUnderLoad) =>
    latencyQuantile(
      all.map((figures) => figures[field]),
      0.5,
    );
  return {
    p50Ms: of('p50Ms'),
    p99Ms: of('p99Ms'),
    droppedFraction: of('droppedFraction'),
    completedRps: of('completedRps'),
  };
}

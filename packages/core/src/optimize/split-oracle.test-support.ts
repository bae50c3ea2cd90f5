/**
 * Simulator of a split that shares no code with the product: connections with an own source each, assigned to routers,
 * and per router a tandem of first-come queues. A stage starts a batch of all waiting items, up to the cap, as soon as
 * a replica is idle. Service times are gamma with the mean of the profile and a given coefficient of variation.
 */

export interface OracleStage {
  readonly replicas: number;
  readonly maxBatchSize: number;
  readonly meanMs: (batchSize: number) => number;
}

/** `burst`: mean times at a high and a low rate, whose factors keep the mean rate. Default: Poisson. */
export interface OracleLoad {
  readonly arrivalRps: number;
  readonly durationMs: number;
  readonly connections: number;
  readonly burst?: { readonly highFactor: number; readonly highMs: number; readonly lowMs: number };
}

/** Linear congruential generator of 48 bits, as in drand48. */
function drand48(seed: number): () => number {
  let state = (BigInt(seed) << 16n) + 0x330en;
  return () => {
    state = (state * 0x5deece66dn + 0xbn) & 0xffff_ffff_ffffn;
    return Number(state) / 2 ** 48;
  };
}

const exponential = (random: () => number): number => -Math.log(1 - random());

/** Arrival times of one connection. */
function sourceTimes(load: OracleLoad, random: () => number): readonly number[] {
  const meanGapMs = (1000 * load.connections) / load.arrivalRps;
  const { burst } = load;
  const times: number[] = [];
  const fill = (fromMs: number, toMs: number, factor: number): void => {
    if (factor <= 0) return;
    for (let at = fromMs; ; times.push(at)) {
      at += (exponential(random) * meanGapMs) / factor;
      if (at >= toMs) return;
    }
  };
  if (burst === undefined) {
    fill(0, load.durationMs, 1);
    return times;
  }
  const { highFactor, highMs, lowMs } = burst;
  const lowFactor = Math.max(0, (highMs + lowMs - highFactor * highMs) / lowMs);
  let isHigh = random() < highMs / (highMs + lowMs);
  for (let at = 0; at < load.durationMs; isHigh = !isHigh) {
    const until = at + exponential(random) * (isHigh ? highMs : lowMs);
    fill(at, Math.min(until, load.durationMs), isHigh ? highFactor : lowFactor);
    at = until;
  }
  return times;
}

/** Arrivals of all connections, ascending, by router. Connections go to routers in these fractions. */
export function arrivalsByRouter(
  load: OracleLoad,
  fractions: readonly number[],
  seed: number,
): readonly (readonly number[])[] {
  const random = drand48(seed);
  const routers = fractions.map((): number[] => []);
  const ends = fractions.map((_, i) => Math.round(load.connections * sumOf(fractions.slice(0, i + 1))));
  for (let connection = 0; connection < load.connections; connection++) {
    const router = ends.findIndex((end) => connection < end);
    const times = routers[router < 0 ? routers.length - 1 : router];
    for (const atMs of sourceTimes(load, random)) times?.push(atMs);
  }
  return routers.map((times) => times.sort((a, b) => a - b));
}

const sumOf = (numbers: readonly number[]): number => numbers.reduce((sum, each) => sum + each, 0);

/** Sum of exponentials: an Erlang law with the mean 1 and a coefficient of variation of about `cv`. */
function erlang(random: () => number, cv: number): number {
  const phases = Math.max(1, Math.round(1 / cv ** 2));
  let sum = 0;
  for (let i = 0; i < phases; i++) sum += exponential(random);
  return sum / phases;
}

/** Latency of each request of one router, in order of arrival. */
export function latenciesOf(
  arrivals: readonly number[],
  stages: readonly OracleStage[],
  { seed, cv }: { readonly seed: number; readonly cv: number },
): readonly number[] {
  const random = drand48(seed);
  let waiting = arrivals.map((atMs, request) => ({ atMs, request }));
  for (const { replicas, maxBatchSize, meanMs } of stages) {
    const freeAtMs = Array.from({ length: replicas }, () => 0);
    const done: typeof waiting = [];
    for (let next = 0; next < waiting.length; ) {
      const free = freeAtMs.indexOf(Math.min(...freeAtMs));
      const startMs = Math.max(freeAtMs[free] ?? 0, waiting[next]?.atMs ?? 0);
      let end = next;
      while (end < waiting.length && end - next < maxBatchSize && (waiting[end]?.atMs ?? 0) <= startMs) end += 1;
      const endMs = startMs + meanMs(end - next) * erlang(random, cv);
      for (const { request } of waiting.slice(next, end)) done.push({ atMs: endMs, request });
      freeAtMs[free] = endMs;
      next = end;
    }
    waiting = done.sort((a, b) => a.atMs - b.atMs || a.request - b.request);
  }
  const latencies = new Array<number>(arrivals.length);
  for (const { atMs, request } of waiting) latencies[request] = atMs - (arrivals[request] ?? 0);
  return latencies;
}

/** Index of dispersion of counts in windows of `windowMs`. */
export function dispersionOf(times: readonly number[], windowMs: number, durationMs: number): number {
  const counts = Array.from({ length: Math.floor(durationMs / windowMs) }, () => 0);
  for (const atMs of times) {
    const window = Math.floor(atMs / windowMs);
    if (window < counts.length) counts[window] = (counts[window] ?? 0) + 1;
  }
  const mean = sumOf(counts) / counts.length;
  return sumOf(counts.map((count) => (count - mean) ** 2)) / (counts.length - 1) / mean;
}

/**
 * Laws known without simulation, as oracles: M/M/1, M/D/c (Franx, Operations Research Letters 29, 2001) and one replica with greedy
 * batches of constant time s(k) (embedded chain at batch ends; bulk queues after Bailey 1954 and Kleinrock vol. 1).
 */

/** A cumulative law of a time in ms. */
export type Cdf = (ms: number) => number;

/** Smallest time with P(T ≤ time) ≥ fraction, by bisection. */
export function quantileOf(cdf: Cdf, fraction: number): number {
  let [low, high] = [0, 1];
  while (cdf(high) < fraction) high *= 2;
  for (let i = 0; i < 60; i++) {
    const middle = (low + high) / 2;
    if (cdf(middle) < fraction) low = middle;
    else high = middle;
  }
  return high;
}

function poissonWeights(mean: number, upTo: number): Float64Array {
  const weights = new Float64Array(upTo + 1);
  let logWeight = -mean;
  for (let i = 0; i <= upTo; i++) {
    if (i > 0) logWeight += Math.log(mean / i);
    weights[i] = Math.exp(logWeight);
  }
  return weights;
}

/** Stationary law of Q' = rest(Q) + Poisson(load(Q)), truncated to `states`, by iteration. */
function stationary(states: number, rest: (q: number) => number, load: (q: number) => number): Float64Array {
  const rows = new Map<number, Float64Array>();
  const row = (mean: number): Float64Array => {
    const known = rows.get(mean) ?? poissonWeights(mean, states);
    rows.set(mean, known);
    return known;
  };
  let law = new Float64Array(states);
  law[0] = 1;
  for (let round = 0; round < 2000; round++) {
    const next = new Float64Array(states);
    for (let q = 0; q < states; q++) {
      const mass = law[q] as number;
      if (mass < 1e-15) continue;
      const arriving = row(load(q));
      for (let to = rest(q); to < states; to++)
        next[to] = (next[to] as number) + mass * (arriving[to - rest(q)] as number);
    }
    const total = next.reduce((a, b) => a + b, 0);
    const change = next.reduce((sum, mass, q) => sum + Math.abs(mass / total - (law[q] as number)), 0);
    law = next.map((mass) => mass / total);
    if (change < 1e-12) break;
  }
  return law;
}

/** Sojourn time of M/M/1. */
export const mm1Sojourn =
  (arrivalPerMs: number, serviceMs: number): Cdf =>
  (ms) =>
    1 - Math.exp(-(1 / serviceMs - arrivalPerMs) * ms);

/** Waiting time of M/D/c with service time `serviceMs`. */
export function mdcWait(arrivalPerMs: number, serviceMs: number, servers: number): Cdf {
  const load = arrivalPerMs * serviceMs;
  const states = 600;
  const inSystem = stationary(
    states,
    (q) => Math.max(0, q - servers),
    () => load,
  );
  const queued = new Float64Array(states - servers);
  let below = 0;
  for (let i = 0; i < states; i++) {
    below += inSystem[i] as number;
    if (i >= servers) queued[i - servers] = below;
  }
  return (ms) => {
    const k = Math.floor(ms / serviceMs) + 1;
    const last = k * servers - 1;
    const weights = poissonWeights(arrivalPerMs * (k * serviceMs - ms), last);
    return weights.reduce((sum, weight, j) => sum + weight * (queued[last - j] ?? 1), 0);
  };
}

/** Greedy batches of one replica: service time by size (ms, constant), cap, arrivals per ms. */
export interface SingleReplica {
  readonly serviceMs: (batchSize: number) => number;
  readonly maxBatchSize: number;
  readonly arrivalPerMs: number;
}

const STATES = 400;
const SLICES = 24;

/** Adds the sojourn of an item that waits `waitMs` with `ahead` items before it; its batch fills with what arrives meanwhile. */
function addItem(
  stage: SingleReplica,
  at: { waitMs: number; ahead: number; mass: number },
  atoms: [number, number][],
): void {
  const { maxBatchSize: b, arrivalPerMs, serviceMs } = stage;
  const place = (at.ahead % b) + 1;
  const joining = poissonWeights(arrivalPerMs * at.waitMs, b);
  let left = 1;
  for (let size = place; size < b; size++) {
    const chance = joining[size - place] as number;
    left -= chance;
    atoms.push([at.waitMs + serviceMs(size), at.mass * chance]);
  }
  atoms.push([at.waitMs + serviceMs(b), at.mass * Math.max(0, left)]);
}

/** Sojourn time of an item at one replica with greedy batches, exact but for the slicing of arrival instants. */
export function singleReplicaSojourn(stage: SingleReplica): Cdf {
  const { maxBatchSize: b, arrivalPerMs, serviceMs } = stage;
  const size = (q: number): number => Math.max(1, Math.min(q, b));
  const law = stationary(
    STATES,
    (q) => Math.max(0, q - b),
    (q) => arrivalPerMs * serviceMs(size(q)),
  );
  const atoms: [number, number][] = [[serviceMs(1), law[0] as number]];
  for (let q = 0; q < STATES; q++) {
    const mass = law[q] as number;
    if (mass < 1e-8) continue;
    const runMs = serviceMs(size(q));
    for (let slice = 0; slice < SLICES; slice++) {
      const u = (runMs * (slice + 0.5)) / SLICES;
      const arrived = poissonWeights(arrivalPerMs * u, 200);
      for (let j = 0; j <= 200; j++) {
        const chance = mass * ((arrivalPerMs * runMs) / SLICES) * (arrived[j] as number);
        if (chance < 1e-11) continue;
        const ahead = Math.max(0, q - b) + j;
        addItem(stage, { waitMs: runMs - u + Math.floor(ahead / b) * serviceMs(b), ahead, mass: chance }, atoms);
      }
    }
  }
  atoms.sort((x, y) => x[0] - y[0]);
  const total = atoms.reduce((sum, atom) => sum + atom[1], 0);
  let below = 0;
  const reached = atoms.map(([ms, mass]) => {
    below += mass / total;
    return [ms, below] as const;
  });
  return (ms) => {
    let [low, high] = [0, reached.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((reached[middle]?.[0] ?? 0) <= ms) low = middle + 1;
      else high = middle;
    }
    return reached[low - 1]?.[1] ?? 0;
  };
}

/**
 * Exact laws, as oracles: M/M/c (Erlang), M/D/c (Franx, Operations Research Letters 29, 2001) and one replica with
 * greedy batches of constant time s(k) (embedded chain at batch ends; bulk queues after Bailey 1954 and Kleinrock vol.
 * 1). Stationary laws come from the elimination of Grassmann, Taksar and Heyman (1985), which subtracts nothing, so no
 * digits are lost.
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

/** Stationary law of Q' = rest(Q) + Poisson(load(Q)). The last state stands for all larger ones. */
function stationary(states: number, rest: (q: number) => number, load: (q: number) => number): Float64Array {
  const rows = Array.from({ length: states }, (_, q) => {
    const row = new Float64Array(states);
    const arriving = poissonWeights(load(q), states);
    for (let to = rest(q); to < states; to++) row[to] = arriving[to - rest(q)] as number;
    row[states - 1] = Math.max(0, 1 - row.subarray(0, states - 1).reduce((sum, chance) => sum + chance, 0));
    return row;
  });
  for (let last = states - 1; last > 0; last--) eliminate(rows, last);
  const law = new Float64Array(states);
  law[0] = 1;
  for (let q = 1; q < states; q++)
    for (let from = 0; from < q; from++) law[q] = at(law, q) + at(law, from) * at(rows[from], q);
  const total = law.reduce((sum, mass) => sum + mass, 0);
  return law.map((mass) => mass / total);
}

/** Eliminates the state `last`: its inflow is redirected along its outflow. */
function eliminate(rows: readonly Float64Array[], last: number): void {
  const from = rows[last] as Float64Array;
  const leaving = from.subarray(0, last).reduce((sum, chance) => sum + chance, 0);
  for (let q = 0; q < last; q++) {
    const row = rows[q] as Float64Array;
    const share = at(row, last) / leaving;
    row[last] = share;
    if (share > 0) for (let to = 0; to < last; to++) row[to] = at(row, to) + share * at(from, to);
  }
}

const at = (values: Float64Array | undefined, index: number): number => values?.[index] ?? 0;

/** Law of a time, and its mean in ms. */
export interface ExactLaw {
  readonly meanMs: number;
  readonly cdf: Cdf;
}

/** Sojourn time of M/M/c: exponential service, after an exponential wait with Erlang's probability. */
export function mmcSojourn(arrivalPerMs: number, serviceMs: number, servers: number): ExactLaw {
  const offered = arrivalPerMs * serviceMs;
  let blocked = 1;
  for (let c = 1; c <= servers; c++) blocked = (offered * blocked) / (c + offered * blocked);
  const waiting = blocked / (1 - (offered / servers) * (1 - blocked));
  const served = 1 / serviceMs;
  const relief = servers * served - arrivalPerMs;
  const both = (ms: number): number =>
    relief === served
      ? (1 + served * ms) * Math.exp(-served * ms)
      : (relief * Math.exp(-served * ms) - served * Math.exp(-relief * ms)) / (relief - served);
  return {
    meanMs: serviceMs + waiting / relief,
    cdf: (ms) => 1 - (1 - waiting) * Math.exp(-served * ms) - waiting * both(ms),
  };
}

const MDC_STATES = 600;

/** Waiting time of M/D/c with service time `serviceMs`. The mean follows from the queue length by Little's law. */
export function mdcWait(arrivalPerMs: number, serviceMs: number, servers: number): ExactLaw {
  const inSystem = stationary(
    MDC_STATES,
    (q) => Math.max(0, q - servers),
    () => arrivalPerMs * serviceMs,
  );
  const queued = new Float64Array(MDC_STATES - servers);
  let [below, meanQueued] = [0, 0];
  for (let i = 0; i < MDC_STATES; i++) {
    below += at(inSystem, i);
    if (i >= servers) queued[i - servers] = below;
    meanQueued += Math.max(0, i - servers) * at(inSystem, i);
  }
  const cdf: Cdf = (ms) => {
    const k = Math.floor(ms / serviceMs) + 1;
    const last = k * servers - 1;
    const weights = poissonWeights(arrivalPerMs * (k * serviceMs - ms), last);
    return weights.reduce((sum, weight, j) => sum + weight * (queued[last - j] ?? 1), 0);
  };
  return { meanMs: meanQueued / arrivalPerMs, cdf };
}

/** One replica with greedy batches: constant service times by size (ms), cap, arrivals per ms. */
export interface SingleReplica {
  readonly serviceMs: (batchSize: number) => number;
  readonly maxBatchSize: number;
  readonly arrivalPerMs: number;
}

const STATES = 400;
/** Slices of a service time for arrival instants: accurate to about 0.1 %. */
const SLICES = 24;
/** Grid cells per service time of a full batch, on which atoms are collected. */
const CELLS_PER_SERVICE = 20_000;

/** Times as masses on a grid, and their exact mean. */
class GridLaw {
  readonly #cellMs: number;
  readonly #masses: number[] = [];
  #mass = 0;
  #sumMs = 0;

  constructor(cellMs: number) {
    this.#cellMs = cellMs;
  }

  add(ms: number, mass: number): void {
    const cell = Math.round(ms / this.#cellMs);
    this.#masses[cell] = (this.#masses[cell] ?? 0) + mass;
    this.#mass += mass;
    this.#sumMs += mass * ms;
  }

  law(): ExactLaw {
    const reached = new Float64Array(this.#masses.length);
    let below = 0;
    for (let cell = 0; cell < reached.length; cell++) {
      below += (this.#masses[cell] ?? 0) / this.#mass;
      reached[cell] = below;
    }
    const cdf: Cdf = (ms) => (ms < 0 ? 0 : (reached[Math.floor(ms / this.#cellMs + 0.5)] ?? 1));
    return { meanMs: this.#sumMs / this.#mass, cdf };
  }
}

/**
 * Adds the sojourn of an item that waits `waitMs` with `ahead` items before it. Items that arrive meanwhile fill its
 * batch.
 */
function addItem(stage: SingleReplica, item: { waitMs: number; ahead: number; mass: number }, law: GridLaw): void {
  const { maxBatchSize: b, arrivalPerMs, serviceMs } = stage;
  const place = (item.ahead % b) + 1;
  const joining = poissonWeights(arrivalPerMs * item.waitMs, b);
  let left = 1;
  for (let size = place; size < b; size++) {
    const chance = at(joining, size - place);
    left -= chance;
    law.add(item.waitMs + serviceMs(size), item.mass * chance);
  }
  law.add(item.waitMs + serviceMs(b), item.mass * Math.max(0, left));
}

/** Sojourn time of an item at one replica with greedy batches. Only the slicing of arrival instants is inexact. */
export function singleReplicaSojourn(stage: SingleReplica, slices: number = SLICES): ExactLaw {
  const { maxBatchSize: b, arrivalPerMs, serviceMs } = stage;
  const size = (q: number): number => Math.max(1, Math.min(q, b));
  const queue = stationary(
    STATES,
    (q) => Math.max(0, q - b),
    (q) => arrivalPerMs * serviceMs(size(q)),
  );
  const law = new GridLaw(serviceMs(b) / CELLS_PER_SERVICE);
  law.add(serviceMs(1), at(queue, 0));
  for (let q = 0; q < STATES; q++) {
    const mass = at(queue, q);
    if (mass < 1e-8) continue;
    const runMs = serviceMs(size(q));
    for (let slice = 0; slice < slices; slice++) {
      const u = (runMs * (slice + 0.5)) / slices;
      const arrived = poissonWeights(arrivalPerMs * u, 200);
      for (let j = 0; j <= 200; j++) {
        const chance = mass * ((arrivalPerMs * runMs) / slices) * at(arrived, j);
        if (chance < 1e-11) continue;
        const ahead = Math.max(0, q - b) + j;
        addItem(stage, { waitMs: runMs - u + Math.floor(ahead / b) * serviceMs(b), ahead, mass: chance }, law);
      }
    }
  }
  return law.law();
}

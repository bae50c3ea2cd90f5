/**
 * One stage, simulated without an event heap. The queue is first come first served and all replicas are alike, so the next batch always
 * starts at max(arrival of the head, earliest free replica), takes what has arrived by then up to the cap, and runs for a drawn time.
 *
 * A replica with a CPU share f < 1 carries a bucket of CPU time: level at most `burstMs`, rising f per ms while idle and changing by
 * f − 1 per ms while it runs; it may start at level ≥ 0 only.
 */
import type { Rng } from '../kernel/rng.js';
import type { ServiceCurve } from '../profile/service-curve.js';
import { drawMs } from '../profile/service-law.js';
import { type ArrivalProcess, fillArrivals } from './arrivals.js';

/** What to simulate. Groups hold `groupSize` items (a fraction is drawn between its neighbours). */
export interface MicroSetup {
  readonly curve: ServiceCurve;
  readonly replicas: number;
  readonly maxBatchSize: number;
  /** Items per second. */
  readonly arrivalRps: number;
  readonly groupSize: number;
  /** Consecutive items of a group that make one request, whose time is that of its last item. */
  readonly itemsPerRequest: number;
  readonly arrivals: ArrivalProcess;
  /** CPU-time bucket of a share below one core. */
  readonly burstMs: number;
  /** Items to simulate; the first tenth warms up and is not counted. */
  readonly items: number;
}

/** What came out: sojourn times of requests, ascending, and the mean number of items in a batch. */
export interface MicroResult {
  readonly sortedMs: Float64Array;
  readonly meanBatchSize: number;
}

interface Items {
  readonly arrivedAt: Float64Array;
  /** Index of the request of each item, ascending. */
  readonly request: Int32Array;
  readonly requests: number;
}

function wholeSize(mean: number, rng: Rng): number {
  const floor = Math.floor(mean);
  return mean === floor ? floor : floor + (rng.next() < mean - floor ? 1 : 0);
}

function arrivingItems(setup: MicroSetup, rng: Rng): Items {
  const meanGapMs = (1000 * setup.groupSize) / setup.arrivalRps;
  const times = new Float64Array(Math.ceil(setup.items / setup.groupSize));
  fillArrivals(times, meanGapMs, setup.arrivals, rng.fork('arrivals'));
  const sizes = rng.fork('groups');
  const arrivedAt = new Float64Array(times.length * Math.ceil(setup.groupSize));
  const request = new Int32Array(arrivedAt.length);
  let items = 0;
  let requests = 0;
  for (let group = 0; group < times.length; group++) {
    const size = wholeSize(setup.groupSize, sizes);
    let left = 0;
    for (let i = 0; i < size; i++) {
      if (left === 0) {
        left = Math.max(1, wholeSize(setup.itemsPerRequest, sizes));
        requests++;
      }
      left--;
      arrivedAt[items] = times[group] as number;
      request[items++] = requests - 1;
    }
  }
  return { arrivedAt: arrivedAt.subarray(0, items), request: request.subarray(0, items), requests };
}

function earliest(freeAt: Float64Array): number {
  let best = 0;
  for (let i = 1; i < freeAt.length; i++) if ((freeAt[i] as number) < (freeAt[best] as number)) best = i;
  return best;
}

/** Runs all batches; fills `doneAt` per request (completion of its last item) and returns how many batches ran. */
function runBatches(setup: MicroSetup, items: Items, doneAt: Float64Array, rng: Rng): number {
  const { curve, maxBatchSize, burstMs } = setup;
  const share = curve.shareFraction;
  const { arrivedAt, request } = items;
  const readyAt = new Float64Array(setup.replicas);
  const levelAtReady = new Float64Array(setup.replicas).fill(burstMs);
  let batches = 0;
  for (let head = 0; head < arrivedAt.length; batches++) {
    const replica = earliest(readyAt);
    const ready = readyAt[replica] as number;
    const startAt = Math.max(ready, arrivedAt[head] as number);
    let end = head + 1;
    const limit = Math.min(arrivedAt.length, head + maxBatchSize);
    while (end < limit && (arrivedAt[end] as number) <= startAt) end++;
    const serviceMs = drawMs(curve.law(end - head), rng);
    const finishedAt = startAt + serviceMs;
    readyAt[replica] = finishedAt;
    if (share < 1) {
      const atStart = Math.min(burstMs, (levelAtReady[replica] as number) + share * (startAt - ready));
      const level = atStart - (1 - share) * serviceMs;
      readyAt[replica] = finishedAt + Math.max(0, -level) / share;
      levelAtReady[replica] = Math.max(0, level);
    }
    for (let i = head; i < end; i++) {
      const r = request[i] as number;
      if ((doneAt[r] as number) < finishedAt) doneAt[r] = finishedAt;
    }
    head = end;
  }
  return batches;
}

/** Simulates the stage; the same `rng` seed gives the same result. */
export function simulateStage(setup: MicroSetup, rng: Rng): MicroResult {
  const items = arrivingItems(setup, rng);
  const sojournMs = new Float64Array(items.requests);
  const batches = runBatches(setup, items, sojournMs, rng.fork('service'));
  for (let i = items.request.length - 1; i >= 0; i--) {
    const r = items.request[i] as number;
    if (i === 0 || items.request[i - 1] !== r) sojournMs[r] = (sojournMs[r] as number) - (items.arrivedAt[i] as number);
  }
  const sortedMs = sojournMs.subarray(Math.floor(items.requests / 10)).sort();
  return { sortedMs, meanBatchSize: items.request.length / Math.max(1, batches) };
}

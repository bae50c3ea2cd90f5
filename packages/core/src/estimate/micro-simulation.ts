/**
 * One stage, simulated without an event heap. The queue is first come first served and all replicas are alike, so the next batch always
 * starts at max(arrival of the head, earliest ready replica), takes what has arrived by then up to the cap, and runs for a drawn time.
 * Of several idle replicas the first is taken, as the dispatch rule does.
 *
 * A replica with a CPU share f < 1 carries a bucket of CPU time: level at most `burstMs`, rising f per ms while idle and changing by
 * f − 1 per ms while it runs; it may start at level ≥ 0 only.
 */
import { LatencyHistogram } from '../kernel/latency-histogram.js';
import type { Rng } from '../kernel/rng.js';
import type { ServiceCurve } from '../profile/service-curve.js';
import { drawMs } from '../profile/service-law.js';
import { type ArrivalProcess, fillArrivals } from './arrivals.js';

/** A stage and what arrives at it: requests with their times (ms, ascending) and item counts. */
export interface StageRun {
  readonly curve: ServiceCurve;
  readonly replicas: number;
  readonly maxBatchSize: number;
  /** Depth of the CPU-time bucket of a share below one core. */
  readonly burstMs: number;
  readonly arrivedAtMs: Float64Array;
  readonly itemsOf: Uint16Array;
  /** Requests at the start that are not recorded. */
  readonly warmUp: number;
}

/** Sojourn times of requests (to their last item) and of single items, and the mean number of items in a batch. */
export interface StageRecord {
  readonly requests: LatencyHistogram;
  readonly items: LatencyHistogram;
  readonly meanBatchSize: number;
}

/** Index of the first replica that is ready at `arrivedAtMs`, or of the one that is ready soonest. */
function nextReplica(readyAtMs: Float64Array, arrivedAtMs: number): number {
  let best = 0;
  let soonestMs = readyAtMs[0] as number;
  for (let i = 1; soonestMs > arrivedAtMs && i < readyAtMs.length; i++) {
    const ready = readyAtMs[i] as number;
    if (ready < soonestMs) {
      soonestMs = ready;
      best = i;
    }
  }
  return best;
}

/** Service times by batch size as a function without allocation. */
function serviceSampler(curve: ServiceCurve, maxBatchSize: number, rng: Rng): (batchSize: number) => number {
  const laws = Array.from({ length: maxBatchSize + 1 }, (_, size) => curve.law(Math.max(1, size)));
  const means = Float64Array.from(laws, (_, size) => curve.meanMs(Math.max(1, size)));
  if (laws.every((law) => law.kind === 'constant')) return (size) => means[size] as number;
  return (size) => drawMs(laws[size] as (typeof laws)[number], rng);
}

/** Replicas with a CPU-time bucket each; without a share below one the level stays out of the way. */
class Replicas {
  readonly readyAtMs: Float64Array;
  readonly #levelMs: Float64Array;
  readonly #share: number;
  readonly #burstMs: number;

  constructor(run: StageRun) {
    this.readyAtMs = new Float64Array(run.replicas);
    this.#levelMs = new Float64Array(run.replicas).fill(run.burstMs);
    this.#share = run.curve.shareFraction;
    this.#burstMs = run.burstMs;
  }

  run(replica: number, startAtMs: number, serviceMs: number): void {
    const endAtMs = startAtMs + serviceMs;
    if (this.#share >= 1) {
      this.readyAtMs[replica] = endAtMs;
      return;
    }
    const idleMs = startAtMs - (this.readyAtMs[replica] as number);
    const atStartMs = Math.min(this.#burstMs, (this.#levelMs[replica] as number) + this.#share * idleMs);
    const atEndMs = atStartMs - (1 - this.#share) * serviceMs;
    this.readyAtMs[replica] = endAtMs + Math.max(0, -atEndMs) / this.#share;
    this.#levelMs[replica] = Math.max(0, atEndMs);
  }
}

/** Runs all arrivals through the stage; `rng` draws service times only. */
export function runStage(run: StageRun, rng: Rng): StageRecord {
  const { arrivedAtMs, itemsOf, maxBatchSize, warmUp } = run;
  const requests = new LatencyHistogram();
  const items = new LatencyHistogram();
  const replicas = new Replicas(run);
  const serviceMs = serviceSampler(run.curve, maxBatchSize, rng);
  const total = arrivedAtMs.length;
  let head = 0;
  let headTaken = 0;
  let headDoneAtMs = 0;
  let batches = 0;
  let batchedItems = 0;
  while (head < total) {
    const replica = nextReplica(replicas.readyAtMs, arrivedAtMs[head] as number);
    const startAtMs = Math.max(replicas.readyAtMs[replica] as number, arrivedAtMs[head] as number);
    let size = 0;
    let end = head;
    let endTaken = headTaken;
    while (size < maxBatchSize && end < total && (arrivedAtMs[end] as number) <= startAtMs) {
      const left = (itemsOf[end] as number) - endTaken;
      const taken = Math.min(left, maxBatchSize - size);
      size += taken;
      if (taken < left) endTaken += taken;
      else {
        end++;
        endTaken = 0;
      }
    }
    const batchMs = serviceMs(size);
    const doneAtMs = startAtMs + batchMs;
    replicas.run(replica, startAtMs, batchMs);
    for (let i = head; i < end; i++) {
      const earlierMs = i === head && headTaken > 0 ? headDoneAtMs : 0;
      if (i < warmUp) continue;
      const sojournMs = doneAtMs - (arrivedAtMs[i] as number);
      requests.record(Math.max(doneAtMs, earlierMs) - (arrivedAtMs[i] as number));
      items.record(sojournMs, (itemsOf[i] as number) - (i === head ? headTaken : 0));
    }
    if (endTaken > 0) {
      const since = end === head ? headTaken : 0;
      headDoneAtMs = since > 0 ? Math.max(headDoneAtMs, doneAtMs) : doneAtMs;
      if (end >= warmUp) items.record(doneAtMs - (arrivedAtMs[end] as number), endTaken - since);
    }
    batches++;
    batchedItems += size;
    head = end;
    headTaken = endTaken;
  }
  return { requests, items, meanBatchSize: batchedItems / Math.max(1, batches) };
}

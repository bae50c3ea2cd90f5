/**
 * Simulates one stage with a FIFO queue and equal replicas, without an event heap. A batch starts when an item waits
 * and a replica is ready. It takes the items present, up to the cap. A CPU share f < 1 has a bucket of CPU time as in
 * `serve/cpu-share-bucket.ts`, or a quota of the kernel.
 */
import { LatencyHistogram } from '../kernel/latency-histogram.js';
import type { Rng } from '../kernel/rng.js';
import { type CpuQuota, quotaOf } from '../profile/cpu-quota.js';
import type { ServiceCurve } from '../profile/service-curves.js';
import { drawMs } from '../profile/service-law.js';

/** `arrivedAtMs` (ascending) and `itemsOf` (item counts) are by request. */
export interface StageRun {
  readonly curve: ServiceCurve;
  readonly replicas: number;
  readonly maxBatchSize: number;
  readonly burstMs: number;
  readonly arrivedAtMs: Float64Array;
  readonly itemsOf: Uint16Array;
  readonly warmUp: number;
  readonly itemTimes?: LatencyHistogram;
  /** Factors on mean service times of successive batches, used cyclically. A request's own batch gets no factor. */
  readonly serviceFactors?: Float64Array;
}

/** Sojourn times of requests up to their last item. */
export interface StageRecord {
  readonly requests: LatencyHistogram;
  readonly meanBatchSize: number;
}

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

function serviceSampler(curve: ServiceCurve, maxBatchSize: number, rng: Rng): (batchSize: number) => number {
  const laws = Array.from({ length: maxBatchSize + 1 }, (_, size) => curve.law(Math.max(1, size)));
  const means = Float64Array.from(laws, (_, size) => curve.meanMs(Math.max(1, size)));
  if (laws.every((law) => law.kind === 'constant')) return (size) => means[size] as number;
  return (size) => drawMs(laws[size] as (typeof laws)[number], rng);
}

class Replicas {
  readonly readyAtMs: Float64Array;
  readonly #levelMs: Float64Array;
  readonly #share: number;
  readonly #burstMs: number;
  readonly #quotas: readonly (CpuQuota | undefined)[];

  constructor(run: StageRun) {
    this.readyAtMs = new Float64Array(run.replicas);
    this.#levelMs = new Float64Array(run.replicas).fill(run.burstMs);
    this.#share = run.curve.shareFraction;
    this.#burstMs = run.burstMs;
    this.#quotas = Array.from({ length: run.replicas }, (_, index) => quotaOf(run.curve, index));
  }

  /** Returns the time that the batch takes. */
  run(replica: number, startAtMs: number, serviceMs: number): number {
    const quota = this.#quotas[replica];
    if (quota !== undefined) {
      const batchMs = quota.batchMs(startAtMs, serviceMs);
      this.readyAtMs[replica] = startAtMs + batchMs;
      return batchMs;
    }
    const endAtMs = startAtMs + serviceMs;
    if (this.#share >= 1) {
      this.readyAtMs[replica] = endAtMs;
      return serviceMs;
    }
    const idleMs = startAtMs - (this.readyAtMs[replica] as number);
    const atStartMs = Math.min(this.#burstMs, (this.#levelMs[replica] as number) + this.#share * idleMs);
    const atEndMs = atStartMs - (1 - this.#share) * serviceMs;
    this.readyAtMs[replica] = endAtMs + Math.max(0, -atEndMs) / this.#share;
    this.#levelMs[replica] = Math.max(0, atEndMs);
    return serviceMs;
  }
}

interface Cursor {
  request: number;
  taken: number;
}

function takeBatch(run: StageRun, startAtMs: number, cursor: Cursor): number {
  const { arrivedAtMs, itemsOf, maxBatchSize } = run;
  let size = 0;
  let { request, taken } = cursor;
  while (size < maxBatchSize && request < arrivedAtMs.length && (arrivedAtMs[request] as number) <= startAtMs) {
    const left = (itemsOf[request] as number) - taken;
    const more = Math.min(left, maxBatchSize - size);
    size += more;
    taken = more < left ? taken + more : 0;
    if (taken === 0) request++;
  }
  cursor.request = request;
  cursor.taken = taken;
  return size;
}

/**
 * Records sojourn times. Only a batch's first request can have items in earlier batches, which may end out of order.
 */
class Recorder {
  readonly requests = new LatencyHistogram();
  readonly #run: StageRun;
  #splitDoneAtMs = 0;

  constructor(run: StageRun) {
    this.#run = run;
  }

  batchDone(from: Readonly<Cursor>, to: Readonly<Cursor>, doneAtMs: number): void {
    let taken = from.taken;
    for (let request = from.request; request < to.request; request++) {
      const lastDoneAtMs = taken > 0 ? Math.max(this.#splitDoneAtMs, doneAtMs) : doneAtMs;
      this.#recordItems(request, (this.#run.itemsOf[request] as number) - taken, doneAtMs);
      if (request >= this.#run.warmUp) this.requests.record(lastDoneAtMs - (this.#run.arrivedAtMs[request] as number));
      taken = 0;
    }
    if (to.taken === 0) return;
    this.#splitDoneAtMs = taken > 0 ? Math.max(this.#splitDoneAtMs, doneAtMs) : doneAtMs;
    this.#recordItems(to.request, to.taken - taken, doneAtMs);
  }

  #recordItems(request: number, items: number, doneAtMs: number): void {
    if (this.#run.itemTimes === undefined || request < this.#run.warmUp) return;
    this.#run.itemTimes.record(doneAtMs - (this.#run.arrivedAtMs[request] as number), items);
  }
}

/** Runs all arrivals. `rng` only draws service times. */
export function runStage(run: StageRun, rng: Rng): StageRecord {
  const replicas = new Replicas(run);
  const recorder = new Recorder(run);
  const serviceMs = serviceSampler(run.curve, run.maxBatchSize, rng);
  const factors = run.serviceFactors;
  const head: Cursor = { request: 0, taken: 0 };
  const end: Cursor = { request: 0, taken: 0 };
  let batches = 0;
  let batchedItems = 0;
  while (head.request < run.arrivedAtMs.length) {
    const headAtMs = run.arrivedAtMs[head.request] as number;
    const replica = nextReplica(replicas.readyAtMs, headAtMs);
    const startAtMs = Math.max(replicas.readyAtMs[replica] as number, headAtMs);
    const size = takeBatch(run, startAtMs, end);
    const batchMs = serviceMs(size);
    if (factors === undefined) recorder.batchDone(head, end, startAtMs + replicas.run(replica, startAtMs, batchMs));
    else {
      replicas.run(replica, startAtMs, run.curve.meanMs(size) * (factors[batches % factors.length] as number));
      recorder.batchDone(head, end, startAtMs + batchMs);
    }
    batches++;
    batchedItems += size;
    head.request = end.request;
    head.taken = end.taken;
  }
  return { requests: recorder.requests, meanBatchSize: batchedItems / Math.max(1, batches) };
}

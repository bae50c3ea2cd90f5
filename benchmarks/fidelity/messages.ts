/** Messages of the benchmark to its server and load generator, with one answer each. */
import type { PipelineSpec, ProfileSet } from '@equipoise/core/model';
import type { ThreadTimes } from './thread-times.js';

export type ToServer =
  | { readonly kind: 'profile'; readonly spec: PipelineSpec; readonly quick: boolean }
  | { readonly kind: 'serve'; readonly spec: PipelineSpec; readonly profiles: ProfileSet }
  | { readonly kind: 'record' }
  | { readonly kind: 'stop' };

/** Requests in the order of their ends, on the server's clock. A dropped request has no latency. */
export interface ServedRequests {
  readonly arrivedAtMs: readonly number[];
  readonly latencyMs: readonly (number | null)[];
}

/** Batch from its start turn to its answer turn, on the server's clock. */
export interface ServedBatch {
  readonly stageId: string;
  readonly size: number;
  readonly startedAtMs: number;
  readonly ms: number;
}

/** `record`: everything served since the last `record`. */
export interface FromServer {
  readonly profile: ProfileSet;
  readonly serve: { readonly url: string };
  readonly record: {
    readonly requests: ServedRequests;
    readonly batches: readonly ServedBatch[];
    /** Items of each output, by stages with a fan-out. */
    readonly fanOuts: Readonly<Record<string, readonly number[]>>;
    readonly cpuMs: number;
    readonly threads: ThreadTimes;
  };
  readonly stop: null;
}

/** Poisson arrivals, the first `rushing` at twice the rate; without a rate, one request after another. */
export interface LoadTask {
  readonly url: string;
  readonly folder: string;
  readonly requests: number;
  readonly arrivalRps?: number;
  readonly rushing: number;
  readonly seed: number;
}

/** Latencies count from handing a request to the socket. `lateMs`: delay of that instant against the due time. */
export interface LoadAnswer {
  readonly ok: number;
  readonly dropped: number;
  readonly failed: number;
  readonly latencyMs: readonly number[];
  readonly lateMs: readonly number[];
  readonly cpuMs: number;
}

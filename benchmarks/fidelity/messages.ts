/** What the benchmark says to its two processes, the server's and the load generator's, and what they answer: one answer a message. */
import type { PipelineSpec, ProfileSet } from '@equipoise/core/model';
import type { ThreadTimes } from './thread-times.js';

/** To the server. */
export type ToServer =
  | { readonly kind: 'profile'; readonly spec: PipelineSpec; readonly quick: boolean }
  | { readonly kind: 'serve'; readonly spec: PipelineSpec; readonly profiles: ProfileSet }
  | { readonly kind: 'record' }
  | { readonly kind: 'stop' };

/** Requests as the server saw them, in the order of their ends; instants on its own clock. A dropped one has no latency. */
export interface ServedRequests {
  readonly arrivedAtMs: readonly number[];
  readonly latencyMs: readonly (number | null)[];
}

/** A batch from the turn that starts it to the turn that takes its answer; instants on the server's clock. */
export interface ServedBatch {
  readonly stageId: string;
  readonly size: number;
  readonly startedAtMs: number;
  readonly ms: number;
}

/** From the server, by what was asked; `record` gives what was served since it was last asked for. */
export interface FromServer {
  readonly profile: ProfileSet;
  readonly serve: { readonly url: string };
  readonly record: {
    readonly requests: ServedRequests;
    readonly batches: readonly ServedBatch[];
    /** Items that each output became, by stages whose outputs fan out. */
    readonly fanOuts: Readonly<Record<string, readonly number[]>>;
    readonly cpuMs: number;
    readonly threads: ThreadTimes;
  };
  readonly stop: null;
}

/** To the load generator: Poisson arrivals, the first `rushing` of them at twice the rate, or one request after another where no rate is given. */
export interface LoadTask {
  readonly url: string;
  readonly folder: string;
  readonly requests: number;
  readonly arrivalRps?: number;
  readonly rushing: number;
  readonly seed: number;
}

/** From the load generator; latencies count from the instant a request was handed to the socket, `lateMs` is how long after its due time that was. */
export interface LoadAnswer {
  readonly ok: number;
  readonly dropped: number;
  readonly failed: number;
  readonly latencyMs: readonly number[];
  readonly lateMs: readonly number[];
  readonly cpuMs: number;
}

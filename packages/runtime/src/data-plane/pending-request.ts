/** What the data plane remembers of a request besides its place in the policies: who waits for the answer. */
import type { AppError, RequestOutcome, TensorMap } from '@equipoise/core/model';
import type { RequestState } from '@equipoise/core/serve';
import type { CancelSignal } from './cancellation.js';

/** How a request to a pipeline ends: with the tensors of the response, dropped with a reason, or failed with an AppError. */
export type PipelineOutcome = RequestOutcome<TensorMap, AppError>;

/** Tensors on their way together with the request they belong to (undefined where nothing came out of a fan-out). */
export interface RequestTensors {
  readonly request: PendingRequest | undefined;
  readonly tensors: TensorMap;
}

/** A request as the policies hold it. */
export type ServedRequest = RequestState<RequestTensors, PendingRequest>;

/** A request whose submitter waits. */
export class PendingRequest {
  /** From when on its time counts, which may be before the policies got it. */
  readonly arrivedAtMs: number;
  readonly #resolve: (outcome: PipelineOutcome) => void;
  #signal: CancelSignal | undefined;
  #onAbort: (() => void) | undefined;
  /** Bytes of its tensors that count as in flight. */
  inFlightBytes = 0;
  /** Set when its tensors could not be split or put together: it is about to fail and runs nowhere any more. */
  failure: AppError | undefined;

  constructor(resolve: (outcome: PipelineOutcome) => void, arrivedAtMs: number) {
    this.#resolve = resolve;
    this.arrivedAtMs = arrivedAtMs;
  }

  /** Calls `onAbort` if the signal aborts before the request has ended. */
  watch(signal: CancelSignal, onAbort: () => void): void {
    this.#signal = signal;
    this.#onAbort = onAbort;
    signal.addEventListener('abort', onAbort, { once: true });
  }

  end(outcome: PipelineOutcome): void {
    if (this.#onAbort !== undefined) this.#signal?.removeEventListener('abort', this.#onAbort);
    this.#resolve(outcome);
  }
}

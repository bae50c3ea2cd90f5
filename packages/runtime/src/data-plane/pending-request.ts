import type { AppError, RequestOutcome, TensorMap } from '@equipoise/core/model';
import type { RequestState } from '@equipoise/core/serve';
import type { CancelSignal } from './cancellation.js';

export type PipelineOutcome = RequestOutcome<TensorMap, AppError>;

/** Tensors with their request. The request is undefined if a fan-out has no items. */
export interface RequestTensors {
  readonly request: PendingRequest | undefined;
  readonly tensors: TensorMap;
}

export type ServedRequest = RequestState<RequestTensors, PendingRequest>;

export class PendingRequest {
  /** The arrival may precede the submission. */
  readonly arrivedAtMs: number;
  /** Empty if the server has no tenants. */
  readonly tenant: string;
  readonly #resolve: (outcome: PipelineOutcome) => void;
  #signal: CancelSignal | undefined;
  #onAbort: (() => void) | undefined;
  inFlightBytes = 0;
  /** Set if the request's tensors could not be split or joined. The request then stops and fails. */
  failure: AppError | undefined;

  constructor(resolve: (outcome: PipelineOutcome) => void, arrivedAtMs: number, tenant = '') {
    this.#resolve = resolve;
    this.tenant = tenant;
    this.arrivedAtMs = arrivedAtMs;
  }

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

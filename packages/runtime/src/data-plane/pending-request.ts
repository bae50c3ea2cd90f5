import type { AppError, RequestOutcome, TensorMap } from '@equipoise/core/model';
import type { RequestState } from '@equipoise/core/serve';
import type { RequestVariants, VariantChoice } from '../accuracy/served-variants.js';
import type { TracedRequest } from '../trace/request-tracer.js';
import type { TraceParent } from '../trace/trace-context.js';
import type { CancelSignal } from './cancellation.js';

/** `choice`: the variants that answered, if the pipeline takes feedback and they are known. */
export type PipelineOutcome = RequestOutcome<TensorMap, AppError> & { readonly choice?: VariantChoice | undefined };

export type ServedRequest = RequestState<TensorMap, PendingRequest>;

/** `timeoutMs` defaults to the latency of the SLO. */
export interface SubmitOptions {
  /** Arrival on the runner's clock; default now. */
  readonly arrivedAtMs?: number | undefined;
  readonly timeoutMs?: number | undefined;
  /** 1 is the most urgent; 0 or undefined means the default of the pipeline. */
  readonly priority?: number | undefined;
  /** Inputs are quarantined per tenant. */
  readonly tenant?: string | undefined;
  /** Sender, compared by identity. Under overload, clients of single requests share the queues. */
  readonly client?: object | undefined;
  /** Number of requests that the client sends together, this one included; undefined if unknown. */
  readonly sentTogether?: number | undefined;
  readonly signal?: CancelSignal;
  /** Trace of the caller. */
  readonly traceParent?: TraceParent | undefined;
}

/** A client batch in flight. */
export class PendingBatch {
  /** Empty until all items have entered the policies. */
  requests: readonly ServedRequest[] = [];
  isLost = false;
  /** Bytes in flight: inputs of items, and answers that wait for those of other items. */
  bytes = 0;
  answers = 0;
}

export class PendingRequest {
  /** The arrival may precede the submission. */
  readonly arrivedAtMs: number;
  /** Empty if the server has no tenants. */
  readonly tenant: string;
  /** The client batch to which the request belongs. */
  readonly batch: PendingBatch | undefined;
  readonly #resolve: (outcome: PipelineOutcome) => void;
  #signal: CancelSignal | undefined;
  #onAbort: (() => void) | undefined;
  inFlightBytes = 0;
  outputBytes = 0;
  /** Tensors of the request that edges pass on. They count as bytes in flight until the request ends. */
  source: TensorMap = {};
  /** Set if the request's tensors could not be split or joined. The request then stops and fails. */
  failure: AppError | undefined;
  /** Undefined if the pipeline takes no feedback. */
  variants: RequestVariants | undefined;
  /** Undefined if the pipeline is not traced. */
  traced: TracedRequest | undefined;

  constructor(resolve: (outcome: PipelineOutcome) => void, arrivedAtMs: number, tenant = '', batch?: PendingBatch) {
    this.#resolve = resolve;
    this.tenant = tenant;
    this.batch = batch;
    this.arrivedAtMs = arrivedAtMs;
  }

  watch(signal: CancelSignal, onAbort: () => void): void {
    this.#signal = signal;
    this.#onAbort = onAbort;
    signal.addEventListener('abort', onAbort, { once: true });
  }

  end(outcome: PipelineOutcome): void {
    this.source = {};
    if (this.#onAbort !== undefined) this.#signal?.removeEventListener('abort', this.#onAbort);
    this.#resolve(outcome);
  }
}

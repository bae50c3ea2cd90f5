/**
 * A request in flight and its items. An item is one unit of work at one stage. Its `scope` is the part of the request
 * to which it belongs: the whole request, or one item of a fan-out.
 */
import type { OmissionSet } from './omissions-in-force.js';
import type { QuorumsInForce } from './quorums-in-force.js';
import type { ThresholdsInForce } from './thresholds-in-force.js';
import type { RequestTrace } from './trace/request-trace.js';
import type { Collector, Scope, WaitingParts } from './waiting-parts.js';

/** Tolerated loss: the edge, and the item in each surrounding fan-out; or a source without a part. */
export interface MissingPart {
  /** −1 − s for the source s. */
  readonly edge: number;
  /** Outermost fan-out first. */
  readonly items: readonly number[];
}

export type CountedOutcome = 'in-time' | 'missed' | 'failed';

export interface CanaryMark {
  readonly lane: object;
  readonly isOffered: boolean;
  /** Set when an item went to the canary. */
  isTaken: boolean;
  /** `hasFailed`: an item failed in the canary. `isRetried`: it is retried in the main lane. */
  hasFailed: boolean;
  isRetried: boolean;
  /** Last canary batch of the request, or its first failed batch. Items of a batch share the object. */
  batch: { counted: CountedOutcome | undefined } | undefined;
}

/** Shared by requests without outputs. */
const NONE: never[] = [];

/** A request between arrival and its single end. `context` belongs to the driver. */
export class RequestState<Payload, Context> implements Collector<Payload> {
  readonly sequence: number;
  readonly context: Context;
  readonly arrivedAtMs: number;
  /** Time by which the request must be done: its deadline minus the answer margin (`keepFree`). */
  deadlineAtMs: number;
  /** 0 is the most urgent. */
  readonly level: number;
  readonly client: object | undefined;
  /** True for an item of a client batch. */
  readonly isBatched: boolean;
  /** Number of requests that the client sends together, this one included; Infinity if unknown. */
  readonly sentTogether: number;
  /** Outputs by slot; shorter if the last outputs are missing. */
  outputs: (Payload | undefined)[] = NONE;
  missingOutputs: number;
  ended = false;
  queuedItems = 0;
  collected: WaitingParts<Payload>[] | undefined = undefined;
  /** Losses that joins tolerated. */
  missing: MissingPart[] | undefined = undefined;
  canary: CanaryMark | undefined = undefined;
  /** Those in force when the request entered. */
  thresholds: ThresholdsInForce = undefined;
  /** By node, the quorum of its join; undefined without choices. */
  quorums: QuorumsInForce = undefined;
  /** Stages to skip; undefined until the request has entered the graph. */
  omissions: OmissionSet | undefined = undefined;
  /** Deadline of the client, if it is later than `deadlineAtMs`. */
  #dueAtMs: number | undefined = undefined;
  droppedAtStage: number | undefined;
  /** Undefined if the driver does not trace the request. */
  readonly trace: RequestTrace | undefined;

  constructor(sequence: number, arrival: Arrival<Context>, missingOutputs: number) {
    this.sequence = sequence;
    this.context = arrival.context;
    this.arrivedAtMs = arrival.arrivedAtMs;
    this.deadlineAtMs = arrival.deadlineAtMs;
    this.level = arrival.level ?? 0;
    this.client = arrival.client;
    this.isBatched = arrival.isBatched ?? false;
    this.sentTogether = arrival.sentTogether ?? Number.POSITIVE_INFINITY;
    this.missingOutputs = missingOutputs;
    this.trace = arrival.trace;
  }

  /** Deadline of the client. */
  get dueAtMs(): number {
    return this.#dueAtMs ?? this.deadlineAtMs;
  }

  answer(slot: number, payload: Payload): void {
    // An array literal takes one slot; an empty array that grows takes 17.
    if (this.outputs === NONE) this.outputs = slot === 0 ? [payload] : [];
    this.outputs[slot] = payload;
    this.missingOutputs -= 1;
  }

  /**
   * Makes the deadline earlier by `answerMarginMs`, but at most by half of the slack (time minus `leastMs` of work).
   */
  keepFree(answerMarginMs: number, leastMs: number): void {
    const spareMs = this.deadlineAtMs - this.arrivedAtMs - leastMs;
    if (spareMs <= 0) return;
    this.#dueAtMs = this.deadlineAtMs;
    this.deadlineAtMs -= Math.min(answerMarginMs, spareMs / 2);
  }
}

export interface Arrival<Context> {
  readonly context: Context;
  readonly arrivedAtMs: number;
  readonly deadlineAtMs: number;
  /** See `priorityLevel`; default the most urgent. */
  readonly level?: number;
  /** Sender, compared by identity. Under overload, clients share the queues (see `client-shares`). */
  readonly client?: object | undefined;
  /** True for an item of a client batch. */
  readonly isBatched?: boolean | undefined;
  /** Number of requests that the client sends together, this one included. Stages wait for no further ones. */
  readonly sentTogether?: number | undefined;
  readonly trace?: RequestTrace | undefined;
}

export class StageItem<Payload, Context> {
  readonly request: RequestState<Payload, Context>;
  readonly stage: number;
  readonly scope: Scope<Payload> | undefined;
  readonly payload: Payload;
  readonly enqueuedAtMs: number;
  /** Order of enqueueing across the pipeline. It breaks ties of deadlines. */
  readonly sequence: number;
  /** Set if the result no longer counts: nothing needs it, or the item is retried. */
  withdrawn = false;
  inCanary = false;

  constructor(request: RequestState<Payload, Context>, place: ItemPlace<Payload>) {
    this.request = request;
    this.stage = place.stage;
    this.scope = place.scope;
    this.payload = place.payload;
    this.enqueuedAtMs = place.enqueuedAtMs;
    this.sequence = place.sequence;
  }

  get deadlineAtMs(): number {
    return this.request.deadlineAtMs;
  }

  /** True for an item's only retry. */
  get isRetry(): boolean {
    return false;
  }
}

/** A separate class, so that ordinary items need no field for it. */
export class RetriedItem<Payload, Context> extends StageItem<Payload, Context> {
  override get isRetry(): boolean {
    return true;
  }
}

export interface ItemPlace<Payload> {
  readonly stage: number;
  readonly scope: Scope<Payload> | undefined;
  readonly payload: Payload;
  readonly enqueuedAtMs: number;
  readonly sequence: number;
}

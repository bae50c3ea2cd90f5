/**
 * A request in flight and its items. An item is one unit of work at one stage. Its `scope` is its part of the request:
 * the request itself, or one item of a fan-out.
 */
import type { Collector, Scope, WaitingParts } from './waiting-parts.js';

/** A loss that the request can do without: the edge, and the item in each surrounding fan-out. */
export interface MissingPart {
  readonly edge: number;
  /** Indices of the items, outermost fan-out first. */
  readonly items: readonly number[];
}

/** Part of a request in one canary. */
export interface CanaryMark {
  readonly lane: object;
  readonly isOffered: boolean;
  /** Set once an item went to the canary. */
  isTaken: boolean;
  /** Set once an item failed in the canary, and once its retry in the main lane failed, too. */
  hasFailed: boolean;
  isRetried: boolean;
  /** Shared by the items of one batch of the canary. */
  batch: { isCounted: boolean } | undefined;
}

/**
 * A request between arrival and its single end. `context` belongs to the driver (a response to write, a slot to count).
 */
export class RequestState<Payload, Context> implements Collector<Payload> {
  readonly sequence: number;
  readonly context: Context;
  readonly arrivedAtMs: number;
  /** Instant at which it must be done or is dropped: its deadline less the answer margin (`keepFree`). */
  deadlineAtMs: number;
  /** Priority level; 0 is the most urgent. */
  readonly level: number;
  /** Results of the output stages, by output slot. */
  readonly outputs: (Payload | undefined)[] = [];
  missingOutputs: number;
  ended = false;
  /** Its items in queues. */
  queuedItems = 0;
  collected: WaitingParts<Payload>[] | undefined = undefined;
  /** Losses that joins went on without; undefined if none. */
  missing: MissingPart[] | undefined = undefined;
  /** Its part in a canary. */
  canary: CanaryMark | undefined = undefined;
  /** Deadline at arrival. */
  readonly dueAtMs: number;
  /** Index of the stage whose queue dropped it. */
  droppedAtStage: number | undefined;

  constructor(sequence: number, arrival: Arrival<Context>, missingOutputs: number) {
    this.sequence = sequence;
    this.context = arrival.context;
    this.arrivedAtMs = arrival.arrivedAtMs;
    this.deadlineAtMs = arrival.deadlineAtMs;
    this.dueAtMs = arrival.deadlineAtMs;
    this.level = arrival.level ?? 0;
    this.missingOutputs = missingOutputs;
  }

  /**
   * Moves the deadline forward by `answerMarginMs`, at most by half of the time beyond the work itself (at least
   * `leastMs`). So a servable request is not dropped for the sake of its answer.
   */
  keepFree(answerMarginMs: number, leastMs: number): void {
    const spareMs = this.deadlineAtMs - this.arrivedAtMs - leastMs;
    if (spareMs > 0) this.deadlineAtMs -= Math.min(answerMarginMs, spareMs / 2);
  }
}

/** A request fixes its deadline at arrival. */
export interface Arrival<Context> {
  readonly context: Context;
  readonly arrivedAtMs: number;
  readonly deadlineAtMs: number;
  /** See `priorityLevel`; the most urgent by default. */
  readonly level?: number;
}

/** One unit of work waiting or running at a stage. */
export class StageItem<Payload, Context> {
  readonly request: RequestState<Payload, Context>;
  readonly stage: number;
  readonly scope: Scope<Payload> | undefined;
  readonly payload: Payload;
  readonly enqueuedAtMs: number;
  /** Order of enqueueing over the whole pipeline: the tie-break among equal deadlines. */
  readonly sequence: number;
  /** Set if its result no longer counts: its request goes on without it, or it is retried. */
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

  /** True after its replica was lost; there is no second retry. */
  get isRetry(): boolean {
    return false;
  }
}

/** A retried item. (Its own class, so that ordinary items carry no field for it.) */
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

/**
 * What the policies remember of a request in flight. A request is walked by items; an item is one unit of work at one stage.
 * `scope` tells which part of the request an item belongs to: the request itself, or one member of a fan-out group.
 */
import type { Collector, Scope, WaitingParts } from './waiting-parts.js';

/** Something that was lost and done without: what was to come along an edge, in which item of each fan-out around it. */
export interface MissingPart {
  readonly edge: number;
  /** Places of the items, outermost fan-out first. */
  readonly items: readonly number[];
}

/** Part of a request in one canary. */
export interface CanaryMark {
  readonly lane: object;
  readonly isOffered: boolean;
  /** Set once an item went to the canary. */
  isTaken: boolean;
  /** Set once an item failed in the canary, and once that ran again in the main lane. */
  hasFailed: boolean;
  isRetried: boolean;
  /** Shared by the items of one batch of the canary. */
  batch: { isCounted: boolean } | undefined;
}

/** A request between arrival and its single end. `context` belongs to the driver (a response to write, a slot to count). */
export class RequestState<Payload, Context> implements Collector<Payload> {
  readonly sequence: number;
  readonly context: Context;
  readonly arrivedAtMs: number;
  /** When it is to be done or is given up: the deadline that it came with, less the answer margin (`keepFree`). */
  deadlineAtMs: number;
  /** How urgent it is: 0 the most. */
  readonly level: number;
  /** Results of the output stages, by output slot. */
  readonly outputs: (Payload | undefined)[] = [];
  missingOutputs: number;
  ended = false;
  /** Its items that wait in queues. */
  queuedItems = 0;
  collected: WaitingParts<Payload>[] | undefined = undefined;
  /** What joins went on without; undefined when there is nothing. */
  missing: MissingPart[] | undefined = undefined;
  /** Its part in a canary that it met. */
  canary: CanaryMark | undefined = undefined;
  /** The deadline that it was promised. */
  readonly dueAtMs: number;
  /** Index of the stage whose queue dropped the request; undefined when it ended otherwise. */
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
   * Moves the deadline forward by `answerMarginMs`, but by no more than half of the time that is not needed for the work itself (at least
   * `leastMs`): what can be done in time is not given up for the sake of its answer.
   */
  keepFree(answerMarginMs: number, leastMs: number): void {
    const spareMs = this.deadlineAtMs - this.arrivedAtMs - leastMs;
    if (spareMs > 0) this.deadlineAtMs -= Math.min(answerMarginMs, spareMs / 2);
  }
}

/** An arriving request; the deadline that it was promised is fixed here, at arrival. */
export interface Arrival<Context> {
  readonly context: Context;
  readonly arrivedAtMs: number;
  readonly deadlineAtMs: number;
  /** See `priorityLevel`; the most urgent when left out. */
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
  /** Set when its result does not count any more: it failed and its request goes on without it, or it is tried again. */
  withdrawn = false;
  /** Set while it belongs to the canary lane of its stage. */
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

  /** Whether it was in the hands of a replica before, which was lost; there is no third time. */
  get isRetry(): boolean {
    return false;
  }
}

/** An item that is tried once more. (A class of its own, so that those that need no second try carry nothing for it.) */
export class RetriedItem<Payload, Context> extends StageItem<Payload, Context> {
  override get isRetry(): boolean {
    return true;
  }
}

/** Where and when an item was enqueued. */
export interface ItemPlace<Payload> {
  readonly stage: number;
  readonly scope: Scope<Payload> | undefined;
  readonly payload: Payload;
  readonly enqueuedAtMs: number;
  readonly sequence: number;
}

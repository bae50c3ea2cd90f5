/**
 * What the policies remember of a request in flight. A request is walked by items; an item is one unit of work at one stage.
 * `scope` tells which part of the request an item belongs to: the request itself, or one member of a fan-out group.
 */
/** A request between arrival and its single end. `context` belongs to the driver (a response to write, a slot to count). */
export class RequestState<Payload, Context> implements Collector<Payload> {
  readonly sequence: number;
  readonly context: Context;
  readonly arrivedAtMs: number;
  readonly deadlineAtMs: number;
  /** Results of the output stages, by output slot. */
  readonly outputs: (Payload | undefined)[] = [];
  missingOutputs: number;
  ended = false;
  /** Its items that wait in queues. */
  queuedItems = 0;
  collected: CollectedInputs<Payload>[] | undefined = undefined;
  /** Index of the stage whose queue dropped the request; undefined when it ended otherwise. */
  droppedAtStage: number | undefined;

  constructor(sequence: number, arrival: Arrival<Context>, missingOutputs: number) {
    this.sequence = sequence;
    this.context = arrival.context;
    this.arrivedAtMs = arrival.arrivedAtMs;
    this.deadlineAtMs = arrival.deadlineAtMs;
    this.missingOutputs = missingOutputs;
  }
}

/** An arriving request; the deadline is fixed here, at arrival. */
export interface Arrival<Context> {
  readonly context: Context;
  readonly arrivedAtMs: number;
  readonly deadlineAtMs: number;
}

/** The items that one fan-out made, and what has come back through each edge that closes it. */
export interface FanOutGroup<Payload> {
  readonly parent: Scope<Payload> | undefined;
  readonly size: number;
  readonly joined: JoinProgress<Payload>[];
}

/** What has reached an edge that closes a fan-out: payloads at the places of their items, and holes for what did not come. */
export interface JoinProgress<Payload> {
  /** Index of the edge. */
  readonly edge: number;
  arrived: number;
  /** Items that are not to be waited for any more: those that arrived and those that never will. */
  settled: number;
  /** Set once the group has gone on; later arrivals are ignored. */
  closed: boolean;
  parts: Payload[];
}

/** What stands for a part of a request and collects inputs of stages with several in-edges; the list is made when first needed. */
export interface Collector<Payload> {
  collected: CollectedInputs<Payload>[] | undefined;
}

/** One member of a fan-out group, or (undefined) the request as a whole. */
export interface Scope<Payload> extends Collector<Payload> {
  readonly group: FanOutGroup<Payload>;
  readonly indexInGroup: number;
}

/** Inputs of one stage at the places of their in-edges, with holes for what did not come. */
export interface CollectedInputs<Payload> {
  readonly stage: number;
  /** Inputs of which it is not known yet whether they come. */
  missing: number;
  arrived: number;
  /** Set once the stage has started or was skipped; later arrivals are ignored. */
  closed: boolean;
  parts: Payload[];
}

/** One unit of work waiting or running at a stage. */
export class StageItem<Payload, Context> {
  readonly request: RequestState<Payload, Context>;
  readonly stage: number;
  readonly scope: Scope<Payload> | undefined;
  readonly payload: Payload;
  readonly enqueuedAtMs: number;
  readonly deadlineAtMs: number;
  /** Order of enqueueing over the whole pipeline: the tie-break among equal deadlines. */
  readonly sequence: number;

  constructor(request: RequestState<Payload, Context>, place: ItemPlace<Payload>) {
    this.request = request;
    this.stage = place.stage;
    this.scope = place.scope;
    this.payload = place.payload;
    this.enqueuedAtMs = place.enqueuedAtMs;
    this.deadlineAtMs = request.deadlineAtMs;
    this.sequence = place.sequence;
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

/**
 * Where the result of an item goes next: along plain edges in its own scope, through a fan-out as k items of a new group, or
 * into a join, which waits for its whole group or for the first items that come. Of the `when` edges that leave a stage the first
 * whose condition holds is taken. An edge that is not taken is settled at once: a stage with several inputs waits for those that can
 * still come, and a stage to which nothing comes is skipped, with all that only it leads to; a group goes on with the items that
 * came back. An output stage inside fan-outs answers once for the whole request: its items are gathered level by level.
 * Everything here is bookkeeping; what a payload is, and how it is split and put together, is the driver's affair.
 */
import { EdgeCounts } from './edge-counts.js';
import type { CollectedInputs, FanOutGroup, JoinProgress, RequestState, Scope } from './request-state.js';
import type { ServingEdge, ServingGraph, ServingStage } from './serving-graph.js';
import type { SpareRule } from './spare-work.js';
import { collectedOf, hasGoneOn, progressOf, withoutHoles } from './waiting-parts.js';

/** How payloads are split, joined and shared, and which way they go; the simulator's are empty and go by chance. */
export interface PayloadAlgebra<Payload> {
  /** Whether the condition of an edge with `when` holds; asked in the order of the edges until one does. */
  takes(edge: ServingEdge, output: Payload): boolean;
  /** The items that an output fans out into, in order; may be empty. */
  fanOut(edge: ServingEdge, output: Payload): readonly Payload[];
  /** One payload from the items of a group that came back, in their order. */
  join(edge: ServingEdge, parts: readonly Payload[]): Payload;
  /** One payload from the inputs of a stage with several in-edges, at the places of the edges; holes for what did not come. */
  merge(stage: number, parts: readonly (Payload | undefined)[]): Payload;
  /** Another reference to a payload that goes two ways. */
  share(payload: Payload): Payload;
}

/** A payload and the part of the request that it belongs to. */
export interface ReadyInput<Payload> {
  readonly scope: Scope<Payload> | undefined;
  readonly payload: Payload;
}

/** Where an output comes from; `shared` when the response holds it too. */
export interface WalkOrigin<Payload> {
  readonly stage: number;
  readonly scope: Scope<Payload> | undefined;
  readonly shared: boolean;
}

/** What the walk makes happen. */
export interface WalkEffects<Payload, Context> {
  /** An input is ready to be enqueued at a stage. */
  deliver(request: RequestState<Payload, Context>, stage: number, ready: ReadyInput<Payload>): void;
  /** A join went on early: items of the request at these stages may be needless now (`GraphWalk.isNeedless`). */
  spare(request: RequestState<Payload, Context>, stages: readonly number[]): void;
}

/** The entrance of a stage: what an edge leads to. */
type Door = Pick<ServingEdge, 'to' | 'slot'>;

/** Walks requests through one graph. */
export class GraphWalk<Payload, Context> {
  readonly edgeCounts: EdgeCounts;
  readonly #stages: readonly ServingStage[];
  readonly #entries: readonly Door[];
  readonly #algebra: PayloadAlgebra<Payload>;
  readonly #effects: WalkEffects<Payload, Context>;

  constructor(graph: ServingGraph, algebra: PayloadAlgebra<Payload>, effects: WalkEffects<Payload, Context>) {
    this.edgeCounts = new EdgeCounts(graph.edges.length);
    this.#stages = graph.stages;
    this.#entries = graph.entries.map(({ index }) => ({ to: index, slot: 0 }));
    this.#algebra = algebra;
    this.#effects = effects;
  }

  /** Hands an arriving request to its entry stages. */
  enter(request: RequestState<Payload, Context>, inputs: Payload): void {
    for (let i = 0; i < this.#entries.length; i++) {
      const payload = i === 0 ? inputs : this.#algebra.share(inputs);
      this.#arrive(request, this.#entries[i] as Door, { scope: undefined, payload });
    }
  }

  /** Adds the output of a stage to the response if it is part of it; true once the response is whole. */
  answer(request: RequestState<Payload, Context>, from: Omit<WalkOrigin<Payload>, 'shared'>, output: Payload): boolean {
    const edge = this.#stages[from.stage]?.answer;
    if (edge !== undefined) this.#travel(request, edge, { scope: from.scope, payload: output });
    return request.missingOutputs === 0;
  }

  /** Sends the output of a stage on; afterwards the response may be whole, for stages that are skipped do not answer. */
  leave(request: RequestState<Payload, Context>, from: WalkOrigin<Payload>, output: Payload): void {
    const { outEdges } = this.#stages[from.stage] as ServingStage;
    let isGiven = from.shared;
    let hasBranched = false;
    for (let i = 0; i < outEdges.length; i++) {
      const edge = outEdges[i] as ServingEdge;
      if (edge.condition !== undefined) {
        const isTaken = !hasBranched && this.#algebra.takes(edge, output);
        this.edgeCounts.branched(edge.index, isTaken);
        if (!isTaken) {
          this.#skipEdge(request, edge, from.scope);
          continue;
        }
        hasBranched = true;
      }
      const payload = isGiven ? this.#algebra.share(output) : output;
      isGiven = true;
      this.#travel(request, edge, { scope: from.scope, payload });
    }
  }

  /** Whether nothing waits for an item of a stage any more, because joins behind it have gone on without it. */
  isNeedless(request: RequestState<Payload, Context>, stage: number, scope: Scope<Payload> | undefined): boolean {
    const { sparedBy } = this.#stages[stage] as ServingStage;
    for (let i = 0; i < sparedBy.length; i++) if (hasGoneOn(sparedBy[i] as SpareRule, request, scope)) return true;
    return false;
  }

  #travel(request: RequestState<Payload, Context>, edge: ServingEdge, ready: ReadyInput<Payload>): void {
    if (edge.kind === 'plain') this.#arrive(request, edge, ready);
    else if (edge.kind === 'fan-out') this.#spread(request, edge, ready);
    else if (edge.kind === 'join' || ready.scope !== undefined) this.#gather(request, edge, ready);
    else this.#respond(request, edge, ready.payload);
  }

  #spread(request: RequestState<Payload, Context>, edge: ServingEdge, { scope, payload }: ReadyInput<Payload>): void {
    const parts = this.#algebra.fanOut(edge, payload);
    this.edgeCounts.fannedOut(edge.index, parts.length);
    const group: FanOutGroup<Payload> = { parent: scope, size: parts.length, joined: [] };
    for (let i = 0; i < parts.length; i++) {
      const member: Scope<Payload> = { group, indexInGroup: i, collected: undefined };
      this.#arrive(request, edge, { scope: member, payload: parts[i] as Payload });
    }
    if (parts.length > 0) return;
    for (const closing of edge.closedBy) this.#closeGroup(request, closing, { group, parts: [] });
  }

  #gather(request: RequestState<Payload, Context>, edge: ServingEdge, { scope, payload }: ReadyInput<Payload>): void {
    if (scope === undefined) return;
    const progress = progressOf(scope.group, edge.index);
    if (progress.closed) return;
    progress.parts[scope.indexInGroup] = payload;
    progress.arrived += 1;
    progress.settled += 1;
    this.#closeWhenSettled(request, edge, { group: scope.group, progress });
  }

  #closeWhenSettled(
    request: RequestState<Payload, Context>,
    edge: ServingEdge,
    { group, progress }: { readonly group: FanOutGroup<Payload>; readonly progress: JoinProgress<Payload> },
  ): void {
    const isWhole = progress.settled === group.size;
    if (!isWhole && progress.arrived < edge.awaited) return;
    progress.closed = true;
    const parts = progress.arrived === group.size ? progress.parts : withoutHoles(progress.parts);
    progress.parts = [];
    if (!isWhole) this.#effects.spare(request, (this.#stages[edge.to] as ServingStage).spares);
    this.#closeGroup(request, edge, { group, parts });
  }

  #closeGroup(
    request: RequestState<Payload, Context>,
    edge: ServingEdge,
    { group, parts }: { readonly group: FanOutGroup<Payload>; readonly parts: readonly Payload[] },
  ): void {
    const joined = { scope: group.parent, payload: this.#algebra.join(edge, parts) };
    if (edge.kind === 'answer') this.#travel(request, edge, joined);
    else this.#arrive(request, edge, joined);
  }

  #respond(request: RequestState<Payload, Context>, { slot }: ServingEdge, payload: Payload): void {
    request.outputs[slot] = payload;
    request.missingOutputs -= 1;
  }

  #arrive(request: RequestState<Payload, Context>, door: Door, ready: ReadyInput<Payload>): void {
    const stage = this.#stages[door.to] as ServingStage;
    if (stage.inputs === 1) {
      this.#effects.deliver(request, stage.index, ready);
      return;
    }
    const collected = collectedOf(ready.scope ?? request, stage);
    if (collected.closed) return;
    collected.parts[door.slot] = ready.payload;
    collected.arrived += 1;
    collected.missing -= 1;
    if (collected.missing === 0 || collected.arrived === stage.awaited)
      this.#start(request, collected, { stage, scope: ready.scope });
  }

  #start(
    request: RequestState<Payload, Context>,
    collected: CollectedInputs<Payload>,
    { stage, scope }: { readonly stage: ServingStage; readonly scope: Scope<Payload> | undefined },
  ): void {
    collected.closed = true;
    const { parts } = collected;
    collected.parts = [];
    if (collected.missing > 0) this.#effects.spare(request, stage.spares);
    this.#effects.deliver(request, stage.index, { scope, payload: this.#algebra.merge(stage.index, parts) });
  }

  /** Settles an edge along which nothing comes. A fan-out that is not entered leaves what closes it without anything, too. */
  #skipEdge(request: RequestState<Payload, Context>, edge: ServingEdge, scope: Scope<Payload> | undefined): void {
    if (edge.kind === 'plain') this.#skipInput(request, edge, scope);
    else if (edge.kind === 'fan-out') for (const closing of edge.closedBy) this.#skipClosed(request, closing, scope);
    else if (scope !== undefined) {
      const progress = progressOf(scope.group, edge.index);
      if (progress.closed) return;
      progress.settled += 1;
      this.#closeWhenSettled(request, edge, { group: scope.group, progress });
    } else if (edge.kind === 'answer') request.missingOutputs -= 1;
  }

  #skipClosed(request: RequestState<Payload, Context>, closing: ServingEdge, scope: Scope<Payload> | undefined): void {
    if (closing.kind === 'answer') this.#skipEdge(request, closing, scope);
    else this.#skipInput(request, closing, scope);
  }

  #skipInput(request: RequestState<Payload, Context>, door: Door, scope: Scope<Payload> | undefined): void {
    const stage = this.#stages[door.to] as ServingStage;
    if (stage.inputs > 1) {
      const collected = collectedOf(scope ?? request, stage);
      if (collected.closed) return;
      collected.missing -= 1;
      if (collected.missing > 0) return;
      if (collected.arrived > 0) {
        this.#start(request, collected, { stage, scope });
        return;
      }
      collected.closed = true;
    }
    if (stage.answer !== undefined) this.#skipEdge(request, stage.answer, scope);
    for (const edge of stage.outEdges) this.#skipEdge(request, edge, scope);
  }
}

/**
 * Where the result of an item goes next: along plain edges in its own scope, through a fan-out as k items of a new group, or
 * into a join, which waits for its whole group. Stages with several inputs wait for all of them, scope by scope. An output stage
 * inside fan-outs answers once for the whole request: its items are gathered level by level.
 * Everything here is bookkeeping; what a payload is, and how it is split and put together, is the driver's affair.
 */
import type { CollectedInputs, Delivery, FanOutGroup, RequestState, Scope } from './request-state.js';
import type { ServingEdge, ServingGraph } from './serving-graph.js';

/** How payloads are split, joined and shared; the simulator's are empty. */
export interface PayloadAlgebra<Payload> {
  /** The items that an output fans out into, in order; may be empty. */
  fanOut(edge: ServingEdge, output: Payload): readonly Payload[];
  /** One payload from the items of a whole group, in their order. */
  join(edge: ServingEdge, parts: readonly Payload[]): Payload;
  /** One payload from the inputs of a stage with several in-edges, in the order of the edges. */
  merge(stage: number, parts: readonly Payload[]): Payload;
  /** Another reference to a payload that goes two ways. */
  share(payload: Payload): Payload;
}

/** Receives what is ready to be enqueued at a stage. */
export type Deliver<Payload, Context> = (
  request: RequestState<Payload, Context>,
  stage: number,
  ready: { readonly scope: Scope<Payload> | undefined; readonly payload: Payload },
) => void;

/** Walks requests through one graph. */
export class GraphWalk<Payload, Context> {
  readonly #graph: ServingGraph;
  readonly #algebra: PayloadAlgebra<Payload>;
  readonly #deliver: Deliver<Payload, Context>;
  /** Inputs collected outside any fan-out, by request. */
  readonly #collected = new WeakMap<RequestState<Payload, Context>, Map<number, CollectedInputs<Payload>>>();

  constructor(graph: ServingGraph, algebra: PayloadAlgebra<Payload>, deliver: Deliver<Payload, Context>) {
    this.#graph = graph;
    this.#algebra = algebra;
    this.#deliver = deliver;
  }

  /** Hands an arriving request to its entry stages. */
  enter(request: RequestState<Payload, Context>, inputs: Payload): void {
    const { entries } = this.#graph;
    for (let i = 0; i < entries.length; i++) {
      const stage = entries[i]?.index ?? 0;
      const payload = i === 0 ? inputs : this.#algebra.share(inputs);
      this.#arriveAt(request, { stage, slot: 0 }, { scope: undefined, payload });
    }
  }

  /** Adds the output of a stage to the response if it is part of it; true once the response is whole. */
  answer(
    request: RequestState<Payload, Context>,
    from: { readonly stage: number; readonly scope: Scope<Payload> | undefined },
    output: Payload,
  ): boolean {
    const edge = this.#graph.stages[from.stage]?.answer;
    if (edge !== undefined) this.#travel(request, { edge, scope: from.scope, payload: output });
    return request.missingOutputs === 0;
  }

  /** Sends the output of a stage on; `shared` when the response holds it too. */
  leave(
    request: RequestState<Payload, Context>,
    from: { readonly stage: number; readonly scope: Scope<Payload> | undefined; readonly shared: boolean },
    output: Payload,
  ): void {
    const outEdges = this.#graph.stages[from.stage]?.outEdges ?? [];
    for (let i = 0; i < outEdges.length; i++) {
      const edge = outEdges[i] as ServingEdge;
      const payload = i === 0 && !from.shared ? output : this.#algebra.share(output);
      this.#travel(request, { edge, scope: from.scope, payload });
    }
  }

  #travel(request: RequestState<Payload, Context>, delivery: Delivery<Payload>): void {
    const { edge } = delivery;
    if (edge.kind === 'fan-out') this.#spread(request, delivery);
    else if (edge.kind === 'join' || (delivery.scope !== undefined && edge.kind === 'answer'))
      this.#gather(request, delivery);
    else if (edge.kind === 'answer') this.#respond(request, edge.slot, delivery.payload);
    else this.#arriveAt(request, { stage: edge.to, slot: edge.slot }, delivery);
  }

  #spread(request: RequestState<Payload, Context>, { edge, scope, payload }: Delivery<Payload>): void {
    const parts = this.#algebra.fanOut(edge, payload);
    const group: FanOutGroup<Payload> = { parent: scope, size: parts.length, joined: new Map() };
    for (let i = 0; i < parts.length; i++) {
      const member: Scope<Payload> = { group, indexInGroup: i, collected: new Map() };
      this.#arriveAt(request, { stage: edge.to, slot: edge.slot }, { scope: member, payload: parts[i] as Payload });
    }
    if (parts.length === 0) for (const join of edge.closedBy) this.#closeGroup(request, join, { group, parts: [] });
  }

  #gather(request: RequestState<Payload, Context>, { edge, scope, payload }: Delivery<Payload>): void {
    if (scope === undefined) return;
    const { group, indexInGroup } = scope;
    let progress = group.joined.get(edge.index);
    if (progress === undefined) {
      progress = { arrived: 0, parts: [] };
      group.joined.set(edge.index, progress);
    }
    progress.parts[indexInGroup] = payload;
    progress.arrived += 1;
    if (progress.arrived === group.size) this.#closeGroup(request, edge, { group, parts: progress.parts });
  }

  #closeGroup(
    request: RequestState<Payload, Context>,
    join: ServingEdge,
    { group, parts }: { readonly group: FanOutGroup<Payload>; readonly parts: readonly Payload[] },
  ): void {
    const payload = this.#algebra.join(join, parts);
    if (join.kind === 'answer') this.#travel(request, { edge: join, scope: group.parent, payload });
    else this.#arriveAt(request, { stage: join.to, slot: join.slot }, { scope: group.parent, payload });
  }

  #respond(request: RequestState<Payload, Context>, slot: number, payload: Payload): void {
    request.outputs[slot] = payload;
    request.missingOutputs -= 1;
  }

  #arriveAt(
    request: RequestState<Payload, Context>,
    at: { readonly stage: number; readonly slot: number },
    ready: { readonly scope: Scope<Payload> | undefined; readonly payload: Payload },
  ): void {
    const inputs = this.#graph.stages[at.stage]?.inputs ?? 1;
    if (inputs === 1) {
      this.#deliver(request, at.stage, ready);
      return;
    }
    const collectedByStage = ready.scope?.collected ?? this.#collectedOf(request);
    let collected = collectedByStage.get(at.stage);
    if (collected === undefined) {
      collected = { missing: inputs, parts: [] };
      collectedByStage.set(at.stage, collected);
    }
    collected.parts[at.slot] = ready.payload;
    collected.missing -= 1;
    if (collected.missing > 0) return;
    collectedByStage.delete(at.stage);
    this.#deliver(request, at.stage, { scope: ready.scope, payload: this.#algebra.merge(at.stage, collected.parts) });
  }

  #collectedOf(request: RequestState<Payload, Context>): Map<number, CollectedInputs<Payload>> {
    let collected = this.#collected.get(request);
    if (collected === undefined) {
      collected = new Map();
      this.#collected.set(request, collected);
    }
    return collected;
  }
}

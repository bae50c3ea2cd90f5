/**
 * Routes the result of an item: along plain edges, through a fan-out as k items, or into a join, which waits for all
 * items or for the first ones. A stage takes its first `when` edge whose condition is true. Edges that are not taken
 * are settled at once. A stage waits for the inputs that can still arrive. Without any input it is skipped, and so are
 * its out-edges. A join of a fan-out omits skipped items. An output stage inside fan-outs answers once per request. A
 * combine stage passes on its merged or joined input at once; a join without items gives it no member. A request skips
 * the stages that the plan omitted when it entered.
 */

import type { VariantId } from '../model/ids.js';
import type { DiscardRule } from './discardable-work.js';
import { EdgeCounts } from './edge-counts.js';
import { OmissionsInForce } from './omissions-in-force.js';
import { type QuorumsInForce, withQuorum } from './quorums-in-force.js';
import type { RequestState } from './request-state.js';
import type { ServingEdge, ServingGraph, ServingStage } from './serving-graph.js';
import { choiceAt, firstThresholds, type ThresholdsInForce, withThreshold } from './thresholds-in-force.js';
import {
  collectedOf,
  type FanOutGroup,
  hasClosed,
  hasGoneOnEarly,
  joinedOf,
  type Scope,
  takeParts,
  verdictOf,
  type WaitingParts,
  withoutHoles,
} from './waiting-parts.js';

/**
 * Operations on payloads, and branch decisions. `context` belongs to the request; `variant` made the output: a choice
 * (`choicesOf`) if the stage has several thresholds. The simulator's payloads are keys of random paths.
 */
export interface PayloadAlgebra<Payload, Context = unknown> {
  /** Part of a source in a request; undefined if it is missing. Called only if the graph has several sources. */
  part(source: number, inputs: Payload): Payload | undefined;
  /** True if the condition of a `when` edge is true. Called in edge order until one is. */
  takes(edge: ServingEdge, output: Payload, context: Context, variant?: VariantId, threshold?: number): boolean;
  /** Steps of `takes` since the start; default 0. */
  steps?(): number;
  /** Number of items of an output, in constant time. Called before the items exist. */
  items(edge: ServingEdge, output: Payload, variant?: VariantId): number;
  /** The `inputs` of a plain edge that has any. `fanOut` and `join` apply those of their edges themselves. */
  select(edge: ServingEdge, output: Payload, context: Context): Payload;
  /** Items of an output, in order; may be empty. */
  fanOut(edge: ServingEdge, output: Payload, context: Context, variant?: VariantId): readonly Payload[];
  /** One payload from items. For the only edge into a combine stage, the result of that stage. */
  join(edge: ServingEdge, parts: readonly Payload[], context: Context): Payload;
  /** One payload from the inputs of a stage, by edge; holes for missing inputs. For a combine stage, its result. */
  merge(stage: number, parts: readonly (Payload | undefined)[], context: Context): Payload;
  /** Second reference to a payload that takes two paths. */
  share(payload: Payload): Payload;
}

export interface WalkOrigin<Payload> {
  readonly stage: number;
  readonly scope: Scope<Payload> | undefined;
}

export interface WalkEffects<Payload, Context> {
  /** Takes the parts of an input as arguments, because an object per item costs time. */
  deliver(
    request: RequestState<Payload, Context>,
    stage: number,
    scope: Scope<Payload> | undefined,
    payload: Payload,
  ): void;
  /** True if a fan-out may have that many items. Otherwise the request has ended. */
  admits(request: RequestState<Payload, Context>, edge: ServingEdge, items: number): boolean;
  /** A join has continued early. Items of the request at these stages may be discardable (`GraphWalk.isCancelled`). */
  discard(request: RequestState<Payload, Context>, stages: readonly number[]): void;
  cannotAnswer(request: RequestState<Payload, Context>): void;
}

/** Reason for a missing input: a branch not taken, or a lost item. */
interface Absence<Payload> {
  readonly scope: Scope<Payload> | undefined;
  readonly kind: 'skipped' | 'lost';
}

interface SpreadOutput<Payload> {
  readonly scope: Scope<Payload> | undefined;
  readonly payload: Payload;
  readonly variant: VariantId | undefined;
}

type Door = Pick<ServingEdge, 'index' | 'to' | 'slot' | 'partial' | 'kind'>;

/** `isFirst`: first entry of its source. */
type EntryDoor = Door & { readonly source: number; readonly isFirst: boolean };

export class GraphWalk<Payload, Context> {
  readonly edgeCounts: EdgeCounts;
  readonly #stages: readonly ServingStage[];
  readonly #entries: readonly EntryDoor[];
  readonly #hasSources: boolean;
  readonly #hasEarlyJoins: boolean;
  readonly #algebra: PayloadAlgebra<Payload, Context>;
  readonly #effects: WalkEffects<Payload, Context>;
  readonly #omissions: OmissionsInForce;
  #thresholds: ThresholdsInForce;
  #quorums: QuorumsInForce;

  constructor(graph: ServingGraph, algebra: PayloadAlgebra<Payload, Context>, effects: WalkEffects<Payload, Context>) {
    this.edgeCounts = new EdgeCounts(graph.edges.length, graph.sources.length > 1 ? graph.sources.length : 0);
    this.#stages = graph.nodes;
    this.#omissions = new OmissionsInForce(graph);
    this.#thresholds = firstThresholds(graph.nodes);
    this.#entries = graph.entries.map(({ source, to, slot }, position) => {
      const isFirst = graph.entries[position - 1]?.source !== source;
      return { index: sourceIndex(source), source, isFirst, to, slot, partial: false, kind: 'plain' };
    });
    this.#hasSources = graph.sources.length > 1;
    this.#hasEarlyJoins = graph.nodes.some(({ discardedBy }) => discardedBy.length > 0);
    this.#algebra = algebra;
    this.#effects = effects;
  }

  /** Sends the part of each source to its stages. Without a part, the stages are skipped. */
  enter(request: RequestState<Payload, Context>, inputs: Payload): void {
    request.thresholds = this.#thresholds;
    request.quorums = this.#quorums;
    request.omissions = this.#omissions.current;
    request.omissions.requestEntered();
    for (let i = 0; i < this.#entries.length; i++) {
      const door = this.#entries[i] as EntryDoor;
      const part = this.#hasSources ? this.#algebra.part(door.source, inputs) : inputs;
      if (this.#hasSources && door.isFirst) this.edgeCounts.entered(door.source, part !== undefined);
      if (part !== undefined) {
        this.#arrive(request, door, undefined, door.isFirst ? part : this.#algebra.share(part));
        continue;
      }
      if (door.isFirst) {
        request.missing ??= [];
        request.missing.push({ edge: door.index, items: [] });
      }
      this.#settleInput(request, door, { scope: undefined, kind: 'skipped' });
    }
  }

  /** Adds a stage's output to the response if it belongs there; true if the response is then complete. */
  answer(request: RequestState<Payload, Context>, from: WalkOrigin<Payload>, output: Payload): boolean {
    const edge = this.#stages[from.stage]?.answer;
    if (edge !== undefined) this.#travel(request, edge, from.scope, output);
    return request.missingOutputs === 0;
  }

  /** Sends a stage's output along its edges. This may complete the response, because skipped stages do not answer. */
  leave(
    request: RequestState<Payload, Context>,
    from: WalkOrigin<Payload>,
    output: Payload,
    variant?: VariantId,
  ): void {
    const { outEdges, answer } = this.#stages[from.stage] as ServingStage;
    const threshold = request.thresholds?.[from.stage];
    const choice = choiceAt(threshold, variant);
    let isGiven = answer !== undefined;
    let hasBranched = false;
    for (let i = 0; i < outEdges.length; i++) {
      const edge = outEdges[i] as ServingEdge;
      if (edge.condition !== undefined) {
        const isTaken = !hasBranched && this.#algebra.takes(edge, output, request.context, choice, threshold?.value);
        this.edgeCounts.branched(edge.index, isTaken, edge.byVariant ? choice : undefined);
        if (!isTaken) {
          this.#settleEdge(request, edge, { scope: from.scope, kind: 'skipped' });
          continue;
        }
        hasBranched = true;
      }
      const payload = isGiven ? this.#algebra.share(output) : output;
      isGiven = true;
      if (edge.kind === 'fan-out') this.#spread(request, edge, { scope: from.scope, payload, variant: choice });
      else this.#travel(request, edge, from.scope, payload);
    }
  }

  /** Has new requests skip a stage, or pass it again (see `OmissionsInForce`). A request keeps what it entered under. */
  omit(stage: number, isOmitted: boolean): void {
    this.#omissions.plan(stage, isOmitted);
  }

  /** True if new requests skip a stage. */
  omits(stage: number): boolean {
    return this.#omissions.current.omits(stage);
  }

  /** True if requests may still visit a stage that its plan omits. */
  needsOmitted(stage: number): boolean {
    return this.#omissions.isNeeded(stage);
  }

  /** No request enters from now on. */
  close(): void {
    this.#omissions.close();
  }

  /** Sets the threshold of a stage for new requests. A request keeps the thresholds under which it entered. */
  setThreshold(stage: number, value: number): void {
    this.#thresholds = withThreshold(this.#thresholds, stage, value);
  }

  /** Sets the quorum that a stage carries, for new requests. A request keeps the quorums under which it entered. */
  setQuorum(stage: number, value: number): void {
    const join = this.#stages[stage]?.quorumJoin;
    if (join !== undefined) this.#quorums = withQuorum(this.#quorums, join, value);
  }

  /** True if a join on every path of an item has continued without it. */
  isCancelled(request: RequestState<Payload, Context>, stage: number, scope: Scope<Payload> | undefined): boolean {
    if (!this.#hasEarlyJoins) return false;
    const { discardedBy } = this.#stages[stage] as ServingStage;
    for (let i = 0; i < discardedBy.length; i++)
      if (hasClosed(discardedBy[i] as DiscardRule, request, scope)) return true;
    return false;
  }

  /** True if a later join can do without items of this stage. */
  canDiscard(stage: number): boolean {
    const { discardedBy, missable } = this.#stages[stage] as ServingStage;
    return missable || discardedBy.length > 0;
  }

  /** Records a dropped or failed item. Other items may still fill a later join. */
  lose(request: RequestState<Payload, Context>, stage: number, scope: Scope<Payload> | undefined): void {
    this.#settleStage(request, this.#stages[stage] as ServingStage, { scope, kind: 'lost' });
  }

  #travel(
    request: RequestState<Payload, Context>,
    edge: ServingEdge,
    scope: Scope<Payload> | undefined,
    payload: Payload,
  ): void {
    if (edge.kind === 'plain') {
      const passed = edge.inputs === undefined ? payload : this.#algebra.select(edge, payload, request.context);
      this.#arrive(request, edge, scope, passed);
    } else if (scope !== undefined) this.#gather(request, edge, scope, payload);
    else if (edge.kind === 'answer') request.answer(edge.slot, payload);
  }

  #spread(
    request: RequestState<Payload, Context>,
    edge: ServingEdge,
    { scope, payload, variant }: SpreadOutput<Payload>,
  ): void {
    if (!this.#effects.admits(request, edge, this.#algebra.items(edge, payload, variant))) return;
    const parts = this.#algebra.fanOut(edge, payload, request.context, variant);
    this.edgeCounts.fannedOut(edge.index, parts.length, edge.byVariant ? variant : undefined);
    const group: FanOutGroup<Payload> = { parent: scope, size: parts.length, joined: [] };
    for (let i = 0; i < parts.length; i++) {
      const member: Scope<Payload> = { group, indexInGroup: i, collected: undefined };
      this.#arrive(request, edge, member, parts[i] as Payload);
    }
    if (parts.length > 0) return;
    for (const closing of edge.closedBy) this.#closeGroup(request, closing, { group, parts: [] });
  }

  #gather(request: RequestState<Payload, Context>, edge: ServingEdge, scope: Scope<Payload>, payload: Payload): void {
    const waiting = joinedOf(scope.group, edge);
    if (waiting.closed) return;
    waiting.parts[scope.indexInGroup] = payload;
    waiting.arrived += 1;
    this.#decideGroup(request, edge, { group: scope.group, waiting });
  }

  #decideGroup(
    request: RequestState<Payload, Context>,
    edge: ServingEdge,
    { group, waiting }: { readonly group: FanOutGroup<Payload>; readonly waiting: WaitingParts<Payload> },
  ): void {
    const verdict = verdictOf(waiting);
    if (verdict === 'wait') return;
    const parts = takeParts(waiting);
    if (verdict === 'lost') this.#settleBehind(request, edge, { scope: group.parent, kind: 'lost' });
    else {
      if (hasGoneOnEarly(waiting)) this.#effects.discard(request, (this.#stages[edge.to] as ServingStage).discards);
      this.#closeGroup(request, edge, { group, parts: waiting.arrived === group.size ? parts : withoutHoles(parts) });
    }
  }

  #closeGroup(
    request: RequestState<Payload, Context>,
    edge: ServingEdge,
    { group, parts }: { readonly group: FanOutGroup<Payload>; readonly parts: readonly Payload[] },
  ): void {
    if (parts.length === 0 && this.#stages[edge.to]?.combine !== undefined) {
      this.#settleInput(request, edge, { scope: group.parent, kind: 'skipped' });
      return;
    }
    const joined = this.#algebra.join(edge, parts, request.context);
    if (edge.kind === 'answer') this.#travel(request, edge, group.parent, joined);
    else this.#arrive(request, edge, group.parent, joined);
  }

  #arrive(
    request: RequestState<Payload, Context>,
    door: Door,
    scope: Scope<Payload> | undefined,
    payload: Payload,
  ): void {
    const stage = this.#stages[door.to] as ServingStage;
    if (stage.inputs === 1) {
      const isMember = stage.combine !== undefined && door.kind === 'plain';
      const input = isMember ? this.#algebra.merge(stage.index, [payload], request.context) : payload;
      this.#deliver(request, stage, scope, input);
      return;
    }
    const waiting = collectedOf(scope ?? request, stage, awaitedBy(request, stage));
    if (waiting.closed) return;
    waiting.parts[door.slot] = payload;
    waiting.arrived += 1;
    this.#decideStage(request, waiting, { stage, scope });
  }

  #decideStage(
    request: RequestState<Payload, Context>,
    waiting: WaitingParts<Payload>,
    { stage, scope }: { readonly stage: ServingStage; readonly scope: Scope<Payload> | undefined },
  ): void {
    const verdict = verdictOf(waiting);
    if (verdict === 'wait') return;
    const parts = takeParts(waiting);
    if (verdict !== 'go') {
      this.#settleStage(request, stage, { scope, kind: verdict === 'lost' ? 'lost' : 'skipped' });
      return;
    }
    if (hasGoneOnEarly(waiting)) this.#effects.discard(request, stage.discards);
    this.#deliver(request, stage, scope, this.#algebra.merge(stage.index, parts, request.context));
  }

  #deliver(
    request: RequestState<Payload, Context>,
    stage: ServingStage,
    scope: Scope<Payload> | undefined,
    payload: Payload,
  ): void {
    if (request.omissions?.omits(stage.index)) this.#settleStage(request, stage, { scope, kind: 'skipped' });
    else if (stage.combine === undefined) this.#effects.deliver(request, stage.index, scope, payload);
    else if (!this.answer(request, { stage: stage.index, scope }, payload))
      this.leave(request, { stage: stage.index, scope }, payload);
  }

  /** Settles an edge along which nothing arrives. The join that closes a skipped fan-out gets no items. */
  #settleEdge(request: RequestState<Payload, Context>, edge: ServingEdge, absence: Absence<Payload>): void {
    const { scope, kind } = absence;
    if (edge.kind === 'plain') this.#settleInput(request, edge, absence);
    else if (edge.kind === 'fan-out') for (const end of edge.closedBy) this.#settleBehind(request, end, absence);
    else if (scope !== undefined) {
      const waiting = joinedOf(scope.group, edge);
      if (waiting.closed) return;
      this.#countAbsence(request, edge, { waiting, absence });
      this.#decideGroup(request, edge, { group: scope.group, waiting });
    } else if (kind === 'lost') this.#effects.cannotAnswer(request);
    else request.missingOutputs -= 1;
  }

  #settleBehind(request: RequestState<Payload, Context>, closing: ServingEdge, absence: Absence<Payload>): void {
    if (closing.kind === 'answer') this.#settleEdge(request, closing, absence);
    else this.#settleInput(request, closing, absence);
  }

  #settleInput(request: RequestState<Payload, Context>, door: Door, absence: Absence<Payload>): void {
    const stage = this.#stages[door.to] as ServingStage;
    if (stage.inputs === 1) {
      this.#settleStage(request, stage, absence);
      return;
    }
    const waiting = collectedOf(absence.scope ?? request, stage, awaitedBy(request, stage));
    if (waiting.closed) return;
    this.#countAbsence(request, door, { waiting, absence });
    this.#decideStage(request, waiting, { stage, scope: absence.scope });
  }

  #countAbsence(
    request: RequestState<Payload, Context>,
    { index, partial }: Door,
    { waiting, absence }: { readonly waiting: WaitingParts<Payload>; readonly absence: Absence<Payload> },
  ): void {
    if (absence.kind === 'skipped') waiting.skipped += 1;
    else if (!partial) waiting.lost += 1;
    else {
      waiting.missing += 1;
      request.missing ??= [];
      request.missing.push({ edge: index, items: itemsAround(absence.scope) });
    }
  }

  #settleStage(request: RequestState<Payload, Context>, stage: ServingStage, absence: Absence<Payload>): void {
    if (absence.kind === 'lost' && (stage.answer !== undefined || stage.outEdges.length === 0)) {
      this.#effects.cannotAnswer(request);
      return;
    }
    if (stage.answer !== undefined) this.#settleEdge(request, stage.answer, absence);
    for (const edge of stage.outEdges) this.#settleEdge(request, edge, absence);
  }
}

/** An omitted stage carries no quorum. */
function awaitedBy(
  { quorums, omissions }: Pick<RequestState<unknown, unknown>, 'quorums' | 'omissions'>,
  { index, awaited, quorumCarrier }: ServingStage,
): number {
  if (quorumCarrier === undefined || omissions?.omits(quorumCarrier)) return awaited;
  return quorums?.[index] ?? awaited;
}

/** Index of a source in place of an edge. */
const sourceIndex = (source: number): number => -1 - source;

/** Item indices in the surrounding fan-outs, outermost first. */
function itemsAround(scope: Scope<unknown> | undefined): readonly number[] {
  return scope === undefined ? [] : [...itemsAround(scope.group.parent), scope.indexInGroup];
}

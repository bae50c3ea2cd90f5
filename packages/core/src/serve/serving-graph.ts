/**
 * The pipeline as the request policies walk it: stages and edges by index, with the fan-outs and joins matched.
 * Decides which join edges close which fan-out, so that a fan-out of zero items can go on behind its join.
 * Assumes a spec that was validated (acyclic, the same open fan-outs on all in-edges of a stage).
 */
import { invariant } from '../kernel/invariant.js';
import type { StageId } from '../model/ids.js';
import type { PipelineSpec } from '../model/pipeline-spec.js';

/**
 * An edge by index; `closedBy` of a fan-out edge lists the edges that end it: joins, and answers from inside it. An `answer` leads
 * from an output stage to the response and gathers the items of every fan-out that is still open there.
 */
export interface ServingEdge {
  readonly index: number;
  readonly from: number;
  /** The stage it leads to; −1 for the response. */
  readonly to: number;
  readonly kind: 'plain' | 'fan-out' | 'join' | 'answer';
  /** Position among the in-edges of `to`, or among the outputs of the response. */
  readonly slot: number;
  readonly closedBy: readonly ServingEdge[];
}

/** A stage by index. */
export interface ServingStage {
  readonly index: number;
  readonly id: StageId;
  /** Inputs to wait for: the in-edges, plus the request itself where a source enters. */
  readonly inputs: number;
  readonly outEdges: readonly ServingEdge[];
  /** Leads to the response where the stage is one of its outputs. */
  readonly answer: ServingEdge | undefined;
}

/** The whole graph; `entries` are the stages that an arriving request goes to. */
export interface ServingGraph {
  readonly stages: readonly ServingStage[];
  readonly entries: readonly ServingStage[];
  /** The edges to the response, by output slot. */
  readonly answers: readonly ServingEdge[];
  /** Stage indices such that every edge goes from an earlier to a later one. */
  readonly topologicalOrder: readonly number[];
}

type DraftEdge = ServingEdge & { readonly closedBy: ServingEdge[] };

interface Draft {
  readonly edges: readonly DraftEdge[];
  readonly answers: readonly ServingEdge[];
  readonly order: readonly number[];
}

const RESPONSE = -1;

/** Builds the serving graph of a validated spec. */
export function servingGraph(spec: PipelineSpec): ServingGraph {
  const indexOf = new Map(spec.stages.map((stage, index) => [stage.id, index]));
  const entryIds = new Set(spec.sources.flatMap((source) => source.to));
  const inputs: number[] = spec.stages.map((stage) => (entryIds.has(stage.id) ? 1 : 0));
  const edges = spec.edges.map((edge, index): DraftEdge => {
    const from = indexOf.get(edge.from);
    const to = indexOf.get(edge.to);
    invariant(from !== undefined && to !== undefined, `edge ${edge.from} -> ${edge.to} names an unknown stage`);
    const slot = inputs[to] ?? 0;
    inputs[to] = slot + 1;
    const kind = edge.fanOut ? 'fan-out' : edge.join ? 'join' : 'plain';
    return { index, from, to, kind, slot, closedBy: [] };
  });
  const answers = spec.outputs.map(({ from }, slot): ServingEdge => {
    const stage = indexOf.get(from);
    invariant(stage !== undefined, `output ${from} names an unknown stage`);
    return { index: edges.length + slot, from: stage, to: RESPONSE, kind: 'answer', slot, closedBy: [] };
  });
  const order = topologicalOrder(spec.stages.length, edges);
  closeFanOuts({ edges, answers, order });
  const stages = spec.stages.map(({ id }, index) => ({
    index,
    id,
    inputs: inputs[index] ?? 0,
    outEdges: edges.filter((edge) => edge.from === index),
    answer: answers.find((answer) => answer.from === index),
  }));
  return { stages, entries: stages.filter(({ id }) => entryIds.has(id)), answers, topologicalOrder: order };
}

function topologicalOrder(stageCount: number, edges: readonly ServingEdge[]): number[] {
  const missing = new Array<number>(stageCount).fill(0);
  for (const edge of edges) missing[edge.to] = (missing[edge.to] ?? 0) + 1;
  const order = missing.flatMap((count, index) => (count === 0 ? [index] : []));
  for (const from of order) {
    for (const edge of edges) {
      if (edge.from !== from) continue;
      const left = (missing[edge.to] ?? 0) - 1;
      missing[edge.to] = left;
      if (left === 0) order.push(edge.to);
    }
  }
  invariant(order.length === stageCount, 'the stages form a cycle');
  return order;
}

/**
 * Follows the open fan-outs of each stage (a stack) along the graph: a join closes the innermost, an answer all that are open, so
 * each of those must let the answer go on when it has no items.
 */
function closeFanOuts({ edges, answers, order }: Draft): void {
  const openAt = new Map<number, readonly DraftEdge[]>();
  for (const stage of order) {
    const open = openAt.get(stage) ?? [];
    for (const answer of answers.filter(({ from }) => from === stage)) {
      for (const fanOut of open) fanOut.closedBy.push(answer);
    }
    for (const edge of edges.filter(({ from }) => from === stage)) openAt.set(edge.to, openBehind(edge, open));
  }
}

/** The fan-outs that are open behind an edge; a join is noted at the one it closes. */
function openBehind(edge: DraftEdge, open: readonly DraftEdge[]): readonly DraftEdge[] {
  if (edge.kind === 'fan-out') return [...open, edge];
  if (edge.kind === 'plain') return open;
  const fanOut = open.at(-1);
  invariant(fanOut !== undefined, 'a join without a fan-out before it');
  fanOut.closedBy.push(edge);
  return open.slice(0, -1);
}

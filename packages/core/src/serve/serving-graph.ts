/**
 * The pipeline as the request policies walk it: stages and edges by index, with the fan-outs and joins matched.
 * Decides which join edges close which fan-out, so that a fan-out of zero items can go on behind its join.
 * Assumes a spec that was validated (acyclic, equal fan-out depth on all in-edges, outputs at depth 0).
 */
import { invariant } from '../kernel/invariant.js';
import type { StageId } from '../model/ids.js';
import type { PipelineSpec } from '../model/pipeline-spec.js';

/** An edge by index; `closedBy` of a fan-out edge lists the join edges that end it. */
export interface ServingEdge {
  readonly index: number;
  readonly from: number;
  readonly to: number;
  readonly kind: 'plain' | 'fan-out' | 'join';
  /** Position among the in-edges of `to`. */
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
  /** Position among the response's outputs, or −1. */
  readonly outputSlot: number;
}

/** The whole graph; `entries` are the stages that an arriving request goes to. */
export interface ServingGraph {
  readonly stages: readonly ServingStage[];
  readonly entries: readonly ServingStage[];
  readonly outputs: readonly ServingStage[];
  /** Stage indices such that every edge goes from an earlier to a later one. */
  readonly topologicalOrder: readonly number[];
}

interface Draft {
  readonly edges: (ServingEdge & { readonly closedBy: ServingEdge[] })[];
  readonly order: number[];
}

/** Builds the serving graph of a validated spec. */
export function servingGraph(spec: PipelineSpec): ServingGraph {
  const indexOf = new Map(spec.stages.map((stage, index) => [stage.id, index]));
  const entryIds = new Set(spec.sources.flatMap((source) => source.to));
  const slots: number[] = spec.stages.map((stage) => (entryIds.has(stage.id) ? 1 : 0));
  const edges = spec.edges.map((edge, index) => {
    const from = indexOf.get(edge.from);
    const to = indexOf.get(edge.to);
    invariant(from !== undefined && to !== undefined, `edge ${edge.from} -> ${edge.to} names an unknown stage`);
    const slot = slots[to] ?? 0;
    slots[to] = slot + 1;
    const kind = edge.fanOut ? 'fan-out' : edge.join ? 'join' : 'plain';
    return { index, from, to, kind, slot, closedBy: [] } as const satisfies ServingEdge;
  });
  const draft: Draft = {
    edges: edges.map((edge) => ({ ...edge, closedBy: [] })),
    order: topologicalOrder(spec.stages.length, edges),
  };
  matchJoins(draft, spec.stages.length);
  const outputIds = spec.outputs.map((output) => output.from);
  const stages = spec.stages.map((stage, index) => ({
    index,
    id: stage.id,
    inputs: slots[index] ?? 0,
    outEdges: draft.edges.filter((edge) => edge.from === index),
    outputSlot: outputIds.indexOf(stage.id),
  }));
  const byIds = (ids: Iterable<StageId>) => {
    const wanted = new Set(ids);
    return stages.filter((stage) => wanted.has(stage.id));
  };
  return {
    stages,
    entries: byIds(entryIds),
    outputs: outputIds.flatMap((id) => byIds([id])),
    topologicalOrder: draft.order,
  };
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

/** Follows the open fan-outs of each stage (a stack) along the graph; a join closes the innermost. */
function matchJoins({ edges, order }: Draft, stageCount: number): void {
  const openAt = new Array<readonly ServingEdge[]>(stageCount).fill([]);
  for (const from of order) {
    const open = openAt[from] ?? [];
    for (const edge of edges) {
      if (edge.from !== from) continue;
      if (edge.kind === 'fan-out') openAt[edge.to] = [...open, edge];
      else if (edge.kind === 'plain') openAt[edge.to] = open;
      else {
        const fanOut = open.at(-1);
        invariant(fanOut !== undefined, 'a join without a fan-out before it');
        edges[fanOut.index]?.closedBy.push(edge);
        openAt[edge.to] = open.slice(0, -1);
      }
    }
  }
}

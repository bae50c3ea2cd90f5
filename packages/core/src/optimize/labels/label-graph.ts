/**
 * Order of nodes that leaves few branches open, because labels store a time per open branch. A branch runs to its join
 * before the next branch begins.
 */
import type { PlanningGraph } from '../problem/planning-graph.js';
import type { NodeGraph } from './label-problem.js';

/** `order`: stage of each node. */
export interface LabelGraph extends NodeGraph {
  readonly order: readonly number[];
}

const known = new WeakMap<PlanningGraph, LabelGraph>();

export function labelGraph(graph: PlanningGraph): LabelGraph {
  const before = known.get(graph);
  if (before !== undefined) return before;
  const made = numbered(graph, narrowOrder(graph));
  known.set(graph, made);
  return made;
}

function numbered(graph: PlanningGraph, order: readonly number[]): LabelGraph {
  const node = new Map(order.map((stage, v) => [stage, v]));
  const outputs = new Set(graph.outputs);
  const moved = (stages: readonly number[] | undefined): readonly number[] =>
    (stages ?? []).map((stage) => node.get(stage) as number);
  return {
    order,
    predecessors: order.map((stage) => moved(graph.predecessors[stage])),
    successors: order.map((stage) => moved(graph.successors[stage])),
    awaited: order.map((stage) => graph.awaited[stage] as number),
    isOutput: order.map((stage) => outputs.has(stage)),
  };
}

/** Number of finish times that the stages outside `done` depend on. Stages that lead to the same joins share one. */
function openTimes({ predecessors, successors, awaited }: PlanningGraph, done: ReadonlySet<number>): number {
  const waitsForAll = (stage: number): boolean => awaited[stage] === predecessors[stage]?.length;
  const groups = new Set<string>();
  for (const stage of done) {
    const pending = (successors[stage] ?? []).filter((next) => !done.has(next));
    if (pending.length > 0) groups.add(pending.every(waitsForAll) ? pending.toSorted().join() : `only ${stage}`);
  }
  return groups.size;
}

/** Topological order with few open times, greedy and depth-first. */
function narrowOrder(graph: PlanningGraph): readonly number[] {
  const left = new Set(graph.order);
  const position = new Map<number, number>();
  const depthOf = (stage: number): number =>
    Math.max(-1, ...(graph.predecessors[stage] ?? []).map((before) => position.get(before) ?? -1));
  while (left.size > 0) {
    const [next] = [...left]
      .filter((stage) => !graph.predecessors[stage]?.some((before) => left.has(before)))
      .map((stage) => ({ stage, open: openTimes(graph, new Set([...position.keys(), stage])), depth: depthOf(stage) }))
      .sort((a, b) => a.open - b.open || b.depth - a.depth);
    const { stage } = next as { readonly stage: number };
    position.set(stage, position.size);
    left.delete(stage);
  }
  return [...position.keys()];
}

/**
 * Graph for adding latencies. A stage starts when all in-edges have delivered; with `any` or `quorum`, when the first k
 * have. Every `when` branch counts as taken, and joins wait for the last item.
 */
import { AppError } from '../../model/app-error.js';
import { type EdgeSpec, nodeIds, type PipelineSpec } from '../../model/pipeline-spec.js';
import { topologicalOrder } from '../../model/stage-order.js';

/** Graph of stages, then combine stages, by index. */
export interface PlanningGraph {
  readonly order: readonly number[];
  readonly predecessors: readonly (readonly number[])[];
  readonly successors: readonly (readonly number[])[];
  /** Number of predecessors that a stage waits for; 0 at an entry. */
  readonly awaited: readonly number[];
  readonly outputs: readonly number[];
  readonly depth: number;
}

function awaitedOf(inEdges: readonly EdgeSpec[]): number {
  const counts = inEdges.map(({ join }) =>
    join === 'any' ? 1 : typeof join === 'object' ? join.quorum : inEdges.length,
  );
  return Math.max(0, Math.min(inEdges.length, ...counts));
}

/** Finish times (ms) of all stages, given their latencies. */
export function finishTimes(graph: Omit<PlanningGraph, 'depth'>, latencyOf: (stage: number) => number): Float64Array {
  const finish = new Float64Array(graph.predecessors.length);
  for (const stage of graph.order) {
    const before = graph.predecessors[stage] as readonly number[];
    const awaited = graph.awaited[stage] as number;
    let start = 0;
    if (awaited === before.length) for (const p of before) start = Math.max(start, finish[p] as number);
    else start = before.map((p) => finish[p] as number).sort((a, b) => a - b)[awaited - 1] as number;
    finish[stage] = start + latencyOf(stage);
  }
  return finish;
}

/** Finish (ms) of the last output. */
export function graphLatencyMs(graph: Omit<PlanningGraph, 'depth'>, latencyOf: (stage: number) => number): number {
  const finish = finishTimes(graph, latencyOf);
  let latest = 0;
  for (const stage of graph.outputs) latest = Math.max(latest, finish[stage] as number);
  return latest;
}

/** Throws AppError INVALID_PIPELINE for a cycle. */
export function planningGraph(spec: PipelineSpec): PlanningGraph {
  const nodes = nodeIds(spec);
  const indexOf = new Map(nodes.map((id, index) => [id, index]));
  const order = topologicalOrder(spec).map((id) => indexOf.get(id) as number);
  if (order.length < nodes.length) throw new AppError('INVALID_PIPELINE', 'The edges of the pipeline form a cycle.');
  const inEdges = nodes.map((id) => spec.edges.filter((edge) => edge.to === id));
  const shape = {
    order,
    predecessors: inEdges.map((edges) => edges.map((edge) => indexOf.get(edge.from) as number)),
    successors: nodes.map((id) =>
      spec.edges.filter((edge) => edge.from === id).map((edge) => indexOf.get(edge.to) as number),
    ),
    awaited: inEdges.map(awaitedOf),
    outputs: [...new Set(spec.outputs.map((output) => indexOf.get(output.from) as number))],
  };
  return {
    ...shape,
    depth: Math.max(
      1,
      graphLatencyMs(shape, (node) => (node < spec.stages.length ? 1 : 0)),
    ),
  };
}

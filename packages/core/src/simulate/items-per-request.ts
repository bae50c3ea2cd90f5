/** How many items one request is expected to bring to all stages together: what a work budget is divided by. */
import { closesFanOut } from '../model/closes-fan-out.js';
import type { PipelineSpec } from '../model/pipeline-spec.js';
import { servingGraph } from '../serve/serving-graph.js';

/** Items per request over all stages, every branch taken; fan-outs multiply until a join closes them. */
export function itemsPerRequest(spec: PipelineSpec): number {
  const { stages, topologicalOrder } = servingGraph(spec);
  const open = stages.map((): readonly number[] => []);
  for (const index of topologicalOrder) {
    const into = spec.edges.filter(({ to }) => to === stages[index]?.id);
    const [edge] = into;
    const before = open[stages.findIndex(({ id }) => id === edge?.from)] ?? [];
    if (edge === undefined) continue;
    if (edge.fanOut !== undefined) open[index] = [...before, edge.fanOut.expected];
    else open[index] = closesFanOut(edge, into.length) ? before.slice(0, -1) : before;
  }
  return open.reduce((sum, factors) => sum + factors.reduce((product, factor) => product * factor, 1), 0);
}

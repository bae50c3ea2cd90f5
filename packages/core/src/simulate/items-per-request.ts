/** How many items one request is expected to bring to all stages together: what a work budget is divided by. */
import type { PipelineSpec } from '../model/pipeline-spec.js';
import { servingGraph } from '../serve/serving-graph.js';

/** Items per request over all stages, every branch taken; fan-outs multiply until a join closes them. */
export function itemsPerRequest(spec: PipelineSpec): number {
  const { stages, topologicalOrder } = servingGraph(spec);
  const open = stages.map((): readonly number[] => []);
  for (const from of topologicalOrder) {
    const before = open[from] ?? [];
    for (const { index, to, kind } of stages[from]?.outEdges ?? []) {
      const items = spec.edges[index]?.fanOut?.expected ?? 1;
      open[to] = kind === 'fan-out' ? [...before, items] : kind === 'join' ? before.slice(0, -1) : before;
    }
  }
  return open.reduce((sum, factors) => sum + factors.reduce((product, factor) => product * factor, 1), 0);
}

/** The order in which stages can be worked on: each after everything that leads to it. */
import type { StageId } from '../model/ids.js';
import type { PipelineSpec } from '../model/pipeline-spec.js';

/** Stages so that each comes after everything before it in the graph; stages on a cycle are left out. */
export function topologicalOrder(spec: PipelineSpec): readonly StageId[] {
  const missing = new Map(spec.stages.map((stage) => [stage.id, 0]));
  for (const edge of spec.edges) missing.set(edge.to, (missing.get(edge.to) ?? 0) + 1);
  const order = spec.stages.map((stage) => stage.id).filter((id) => missing.get(id) === 0);
  for (let i = 0; i < order.length; i++) {
    for (const edge of spec.edges) {
      if (edge.from !== order[i]) continue;
      const left = (missing.get(edge.to) ?? 0) - 1;
      missing.set(edge.to, left);
      if (left === 0) order.push(edge.to);
    }
  }
  return order;
}

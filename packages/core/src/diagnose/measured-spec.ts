/** The pipeline as it was measured: fan-outs, shares and service times that differ from the file. */
import type { EdgeSpec, PipelineSpec } from '../model/pipeline-spec.js';

/** Spec in which some edges have other values: items of a fan-out, or the probability of a `when`. */
export function specWithEdges(spec: PipelineSpec, values: ReadonlyMap<number, number>): PipelineSpec {
  const edges = spec.edges.map((edge, index): EdgeSpec => {
    const value = values.get(index);
    if (value === undefined) return edge;
    if (edge.fanOut !== undefined) return { ...edge, fanOut: { expected: value } };
    if (edge.when !== undefined)
      return { ...edge, when: { condition: edge.when.condition, probability: Math.min(1, value) } };
    return edge;
  });
  return { ...spec, edges };
}

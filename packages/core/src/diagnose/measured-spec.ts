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
  return { ...spec, edges: edges.map((edge, index) => withinOne(edges, { edge, index, measured: values })) };
}

interface Branch {
  readonly edge: EdgeSpec;
  readonly index: number;
  readonly measured: ReadonlyMap<number, number>;
}

/** Shares of a stage sum to at most 1: those that were not measured divide what the measured ones leave. */
function withinOne(edges: readonly EdgeSpec[], { edge, index, measured }: Branch): EdgeSpec {
  const { when, from } = edge;
  if (when === undefined) return edge;
  const sumOf = (isMeasured: boolean): number =>
    edges.reduce((sum, each, at) => {
      const counts = each.from === from && measured.has(at) === isMeasured;
      return counts ? sum + (each.when?.probability ?? 0) : sum;
    }, 0);
  const [known, rest] = [sumOf(true), sumOf(false)];
  if (known + rest <= 1) return edge;
  const left = rest > 0 ? Math.max(0, 1 - known) / rest : 0;
  const factor = measured.has(index) ? 1 / Math.max(1, known) : left;
  return { ...edge, when: { ...when, probability: factor * when.probability } };
}

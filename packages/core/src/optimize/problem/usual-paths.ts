/**
 * The part of a pipeline that must meet the SLO under any plan. At percentile q, a fraction 1 − q may be late. `when`
 * edges are kept by descending probability while the product of the kept ones exceeds 1 − q.
 */
import type { EdgeSpec, PipelineSpec } from '../../model/pipeline-spec.js';

function likelyBranches(spec: PipelineSpec): ReadonlySet<EdgeSpec> {
  const rare = 1 - spec.slo.percentile / 100;
  const likeliest = spec.edges
    .filter((edge) => edge.when !== undefined)
    .sort((a, b) => (b.when?.probability ?? 0) - (a.when?.probability ?? 0));
  const kept = new Set<EdgeSpec>();
  let product = 1;
  for (const edge of likeliest) {
    product *= edge.when?.probability ?? 0;
    if (product <= rare) break;
    kept.add(edge);
  }
  return kept;
}

/** If an in-edge of an `any` or `quorum` join is omitted, all its in-edges are. */
export function usualPaths(spec: PipelineSpec): PipelineSpec {
  const likely = likelyBranches(spec);
  const entries = spec.stages.map((stage) => stage.id).filter((id) => !spec.edges.some((edge) => edge.to === id));
  const reached = new Set(entries);
  const edges: EdgeSpec[] = [];
  let before = -1;
  while (edges.length > before) {
    before = edges.length;
    for (const edge of spec.edges) {
      const open = reached.has(edge.from) && (edge.when === undefined || likely.has(edge));
      if (!open || edges.includes(edge)) continue;
      edges.push(edge);
      reached.add(edge.to);
    }
  }
  const waitsForSome = (id: EdgeSpec['to']): boolean =>
    spec.edges.some(({ to, join }) => to === id && join !== undefined && join !== 'all');
  const incomplete = (id: EdgeSpec['to']): boolean =>
    spec.edges.filter(({ to }) => to === id).length > edges.filter(({ to }) => to === id).length;
  return {
    ...spec,
    edges: edges.filter(({ to }) => !(waitsForSome(to) && incomplete(to))),
    outputs: spec.outputs.filter(({ from }) => reached.has(from)),
  };
}

/**
 * The part of a pipeline that must meet the SLO under any plan. At percentile q, a fraction 1 − q may be late. `when`
 * edges and sources are kept by descending probability while the product of the kept ones exceeds 1 − q.
 */
import type { EdgeSpec, PipelineSpec, SourceSpec } from '../../model/pipeline-spec.js';

const probabilityOf = (way: EdgeSpec | SourceSpec): number =>
  'name' in way ? (way.share ?? 1) : (way.when?.probability ?? 1);

function likelyWays(spec: PipelineSpec): ReadonlySet<EdgeSpec | SourceSpec> {
  const rare = 1 - spec.slo.percentile / 100;
  const likeliest = [...spec.edges, ...spec.sources].sort((a, b) => probabilityOf(b) - probabilityOf(a));
  const kept = new Set<EdgeSpec | SourceSpec>();
  let product = 1;
  for (const way of likeliest) {
    product *= probabilityOf(way);
    if (product <= rare) break;
    kept.add(way);
  }
  return kept;
}

/** If an in-edge of an `any` or `quorum` join is omitted, all its in-edges are. */
export function usualPaths(spec: PipelineSpec): PipelineSpec {
  const likely = likelyWays(spec);
  const unlikely = spec.sources.filter((source) => !likely.has(source));
  const isUnlikely = (id: EdgeSpec['to']): boolean => unlikely.some(({ to }) => to.includes(id));
  const entries = spec.stages.map((stage) => stage.id).filter((id) => !spec.edges.some((edge) => edge.to === id));
  const reached = new Set(entries.filter((id) => !isUnlikely(id)));
  const edges: EdgeSpec[] = [];
  let before = -1;
  while (edges.length > before) {
    before = edges.length;
    for (const edge of spec.edges) {
      const open = reached.has(edge.from) && likely.has(edge);
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

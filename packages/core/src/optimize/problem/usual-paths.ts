/**
 * The part of a pipeline whose latency every plan must fit into the SLO. At percentile q the slowest 1 − q of the requests may be late, so a
 * path that is taken with at most that probability need not be in time. `when` edges are kept from the likeliest down while the product
 * of all that are kept, which no path falls below, exceeds 1 − q; the rest of the edges and what only they lead to are left out.
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

/** The pipeline without rare paths; a stage that would wait for some of its in-edges only waits for none once one of them is left out. */
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

import type { StageId } from './ids.js';
import { closesFanOut, type EdgeSpec, nodeIds, type PipelineSpec } from './pipeline-spec.js';

type Graph = Pick<PipelineSpec, 'stages' | 'combines' | 'edges'>;

/** Order of stages and combine stages. Omits those on and after cycles. */
export function topologicalOrder(spec: Graph): readonly StageId[] {
  const missing = new Map(nodeIds(spec).map((id) => [id, 0]));
  for (const edge of spec.edges) missing.set(edge.to, (missing.get(edge.to) ?? 0) + 1);
  const order = nodeIds(spec).filter((id) => missing.get(id) === 0);
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

/** Open fan-outs at a stage, outermost first. */
type Open = readonly EdgeSpec[];

/**
 * For each edge that closes a fan-out: the edge that opened it. A request passes the closing edge even if no item
 * arrived.
 */
export function fanOutOpeners(spec: Graph): ReadonlyMap<EdgeSpec, EdgeSpec> {
  const openers = new Map<EdgeSpec, EdgeSpec>();
  if (spec.edges.every(({ fanOut }) => fanOut === undefined)) return openers;
  const openAt = new Map<StageId, Open>();
  for (const id of topologicalOrder(spec)) {
    const inEdges = spec.edges.filter(({ to }) => to === id);
    for (const edge of inEdges) {
      const open = openAt.get(edge.from) ?? [];
      const closes = closesFanOut(edge, inEdges.length);
      const closed = closes ? open.at(-1) : undefined;
      if (closed !== undefined) openers.set(edge, closed);
      openAt.set(id, openBehind(edge, open, closes));
    }
  }
  return openers;
}

function openBehind(edge: EdgeSpec, open: Open, closes: boolean): Open {
  if (edge.fanOut !== undefined) return [...open, edge];
  return closes ? open.slice(0, -1) : open;
}

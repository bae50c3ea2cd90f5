import type { StageId } from '../model/ids.js';
import { closesFanOut, type PipelineSpec } from '../model/pipeline-spec.js';
import { topologicalOrder } from '../model/stage-order.js';
import { visitScenarios } from './visit-scenarios.js';

/**
 * Load of each stage. Visits per request: product of the expected items of all open fan-outs, times the probability of
 * a visit. Pipeline files guarantee that the graph has no cycles, and that all edges into a stage have the same open
 * fan-outs.
 */

/** `groupSize` ignores batches of previous stages. */
export interface StageLoad {
  readonly arrivalRps: number;
  /** Items per request. */
  readonly visits: number;
  readonly groupSize: number;
  /** True after a join: one item per group. */
  readonly joined: boolean;
}

interface Walk {
  readonly openFanOuts: readonly number[];
  readonly groupSize: number;
  readonly joined: boolean;
}

const product = (factors: readonly number[]): number => factors.reduce((a, b) => a * b, 1);

interface KnownLoads {
  readonly arrivalRps: number;
  readonly loads: ReadonlyMap<StageId, StageLoad>;
}

const lastLoads = new WeakMap<PipelineSpec, KnownLoads>();

/** Loads in topological order; `arrivalRps` counts requests. */
export function stageLoads(spec: PipelineSpec, arrivalRps: number): ReadonlyMap<StageId, StageLoad> {
  const last = lastLoads.get(spec);
  if (last?.arrivalRps === arrivalRps) return last.loads;
  const loads = loadsOf(spec, arrivalRps);
  lastLoads.set(spec, { arrivalRps, loads });
  return loads;
}

function loadsOf(spec: PipelineSpec, arrivalRps: number): ReadonlyMap<StageId, StageLoad> {
  const walks = new Map<StageId, Walk>();
  for (const id of topologicalOrder(spec)) {
    const inEdges = spec.edges.filter(({ to }) => to === id);
    const [edge] = inEdges;
    const before = edge === undefined ? undefined : walks.get(edge.from);
    const open = before?.openFanOuts ?? [];
    if (edge !== undefined && closesFanOut(edge, inEdges.length))
      walks.set(id, { openFanOuts: open.slice(0, -1), groupSize: 1, joined: true });
    else if (edge?.fanOut !== undefined)
      walks.set(id, { openFanOuts: [...open, edge.fanOut.expected], groupSize: edge.fanOut.expected, joined: false });
    else walks.set(id, { openFanOuts: open, groupSize: 1, joined: false });
  }
  const scenarios = visitScenarios(spec);
  return new Map(
    [...walks].map(([id, walk]) => {
      const taken = scenarios.reduce((sum, s) => (s.visited.has(id) ? sum + s.probability : sum), 0);
      const visits = product(walk.openFanOuts) * taken;
      return [id, { arrivalRps: arrivalRps * visits, visits, groupSize: walk.groupSize, joined: walk.joined }];
    }),
  );
}

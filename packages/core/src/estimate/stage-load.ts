import type { StageId } from '../model/ids.js';
import { closesFanOut, type PipelineSpec } from '../model/pipeline-spec.js';
import { topologicalOrder } from './stage-order.js';
import { visitScenarios } from './visit-scenarios.js';

/**
 * How many items reach each stage, and in what company.
 *
 * Visits per request are the product of the expected fan-outs that are open on the way; a join takes the innermost one out again
 * (a `count` after detect → classify × K sees λ, not K·λ), and behind `when` the probability of a visit multiplies. Items made by one fan-out arrive together: the stage behind it sees groups.
 * Assumes, as the pipeline file guarantees, a graph without cycles whose edges into one stage carry the same open fan-outs.
 */

/** Load of a stage: item rate, items per request, items per request that arrive together (upstream batches taken as 1). */
export interface StageLoad {
  readonly arrivalRps: number;
  /** Items per request. */
  readonly visits: number;
  /** Mean number of items of one request that arrive at the same moment. */
  readonly groupSize: number;
  /** True when the items of a request came through a join: they arrive one per group, however large it was. */
  readonly joined: boolean;
}

interface Walk {
  readonly openFanOuts: readonly number[];
  readonly groupSize: number;
  readonly joined: boolean;
}

const product = (factors: readonly number[]): number => factors.reduce((a, b) => a * b, 1);

/** Loads of all stages at `arrivalRps` requests per second, in topological order of the graph. */
export function stageLoads(spec: PipelineSpec, arrivalRps: number): ReadonlyMap<StageId, StageLoad> {
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

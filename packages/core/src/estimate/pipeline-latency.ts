/**
 * End-to-end latency of a pipeline from the sojourn laws of its stages.
 *
 * Along a chain the times add, where branches meet the slowest counts. The law of a stage's finish is kept relative to its immediate
 * dominator (the last stage that every way to it passes), so what two branches share is counted once; beyond it branches are taken as
 * independent, which for branches of one fork is an upper bound. A fan-out's time is that of its last item, and the upstream batch
 * widens the groups in which items arrive.
 */
import { invariant } from '../kernel/invariant.js';
import type { StageId } from '../model/ids.js';
import type { PipelineSpec } from '../model/pipeline-spec.js';
import type { ServiceCurve } from '../profile/service-curve.js';
import { type Burstiness, poissonBurstiness } from './burstiness.js';
import {
  constantLaw,
  type LatencyLaw,
  lawFromQuantiles,
  maxLaw,
  meanOfLaw,
  quantileOfLaw,
  sumLaw,
} from './latency-law.js';
import { stageLoads } from './stage-load.js';
import { topologicalOrder } from './stage-order.js';
import { refineStage, type StageEstimate } from './stage-sojourn.js';

/** How a stage is run. */
export interface StageConfiguration {
  readonly curve: ServiceCurve;
  readonly replicas: number;
  readonly maxBatchSize: number;
}

/** End-to-end latency at a load, with the estimate of every stage; infinite when a stage is unstable. */
export interface PipelineEstimate {
  readonly stable: boolean;
  readonly meanMs: number;
  readonly stages: ReadonlyMap<StageId, StageEstimate>;
  quantileMs(fraction: number): number;
}

/** A pipeline under load; `arrivalRps` counts requests. */
export interface PipelineQuery {
  readonly spec: PipelineSpec;
  readonly stages: ReadonlyMap<StageId, StageConfiguration>;
  readonly arrivalRps: number;
  readonly burstiness?: Burstiness;
}

function stageEstimates(query: PipelineQuery): ReadonlyMap<StageId, StageEstimate> {
  const estimates = new Map<StageId, StageEstimate>();
  const loads = stageLoads(query.spec, query.arrivalRps);
  for (const [id, load] of loads) {
    const configuration = query.stages.get(id);
    invariant(configuration !== undefined, `stage ${id} has a configuration`);
    const before = query.spec.edges.filter((edge) => edge.to === id).map((edge) => estimates.get(edge.from));
    const upstreamBatch = load.joined ? 1 : Math.max(1, ...before.map((estimate) => estimate?.meanBatchSize ?? 1));
    const estimate = refineStage({
      ...configuration,
      arrivalRps: load.arrivalRps,
      groupSize: Math.max(1, load.groupSize * upstreamBatch),
      itemsPerRequest: Math.max(1, load.groupSize),
      burstiness: query.burstiness ?? poissonBurstiness,
    });
    estimates.set(id, estimate);
  }
  return estimates;
}

/** Finish of a node relative to its immediate dominator; the start of the pipeline has none. */
interface Node {
  readonly law: LatencyLaw;
  readonly dominator: Node | undefined;
  readonly depth: number;
}

function commonDominator(a: Node, b: Node): Node {
  let [x, y] = [a, b];
  while (x !== y) {
    if (x.depth >= y.depth) x = x.dominator as Node;
    else y = y.dominator as Node;
  }
  return x;
}

/** Law of the time from the finish of `from` to the finish of `node`, which `from` dominates. */
function lawSince(from: Node, node: Node): LatencyLaw {
  let law = constantLaw(0);
  for (let at = node; at !== from; at = at.dominator as Node) law = sumLaw(at.law, law);
  return law;
}

function meet(nodes: readonly Node[], start: Node, own: LatencyLaw): Node {
  const dominator = nodes.length === 0 ? start : nodes.reduce(commonDominator);
  const branches = nodes.map((node) => lawSince(dominator, node));
  const waited = branches.length === 0 ? constantLaw(0) : branches.reduce(maxLaw);
  return { law: sumLaw(waited, own), dominator, depth: dominator.depth + 1 };
}

function endToEnd(spec: PipelineSpec, estimates: ReadonlyMap<StageId, StageEstimate>): LatencyLaw {
  const start: Node = { law: constantLaw(0), dominator: undefined, depth: 0 };
  const nodes = new Map<StageId, Node>();
  for (const id of topologicalOrder(spec)) {
    const before = spec.edges.filter((edge) => edge.to === id).map((edge) => nodes.get(edge.from) as Node);
    const estimate = estimates.get(id) as StageEstimate;
    nodes.set(
      id,
      meet(
        before,
        start,
        lawFromQuantiles((fraction) => estimate.quantileMs(fraction)),
      ),
    );
  }
  const ends = [...new Set(spec.outputs.map((output) => nodes.get(output.from) as Node))];
  return lawSince(start, meet(ends, start, constantLaw(0)));
}

/** Estimates the end-to-end latency of a pipeline. */
export function estimatePipeline(query: PipelineQuery): PipelineEstimate {
  const stages = stageEstimates(query);
  if ([...stages.values()].some((estimate) => !estimate.stable)) {
    const never = Number.POSITIVE_INFINITY;
    return { stable: false, meanMs: never, stages, quantileMs: () => never };
  }
  const law = endToEnd(query.spec, stages);
  return { stable: true, meanMs: meanOfLaw(law), stages, quantileMs: (fraction) => quantileOfLaw(law, fraction) };
}

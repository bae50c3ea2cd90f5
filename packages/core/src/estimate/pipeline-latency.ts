/**
 * End-to-end latency from the sojourn laws of stages: sums along chains, the slowest (or quorum-completing) branch at
 * joins, mixtures over `when`. A finish law is relative to the immediate dominator, so shared parts count once. Beyond
 * it branches are taken as independent, an upper bound.
 */
import { invariant } from '../kernel/invariant.js';
import { type Burstiness, poissonBurstiness } from '../model/expected-load.js';
import type { StageId } from '../model/ids.js';
import type { Join, PipelineSpec } from '../model/pipeline-spec.js';
import type { ServiceCurve } from '../profile/service-curve.js';
import {
  awaitedLaw,
  constantLaw,
  type LatencyLaw,
  lawFromQuantiles,
  meanOfLaw,
  mixtureLaw,
  quantileOfLaw,
  sumLaw,
} from './latency-law.js';
import { stageLoads } from './stage-load.js';
import { fanOutOpeners, topologicalOrder } from './stage-order.js';
import { refineStage, type StageEstimate } from './stage-sojourn.js';
import { visitScenarios } from './visit-scenarios.js';

export interface StageConfiguration {
  readonly curve: ServiceCurve;
  readonly replicas: number;
  readonly maxBatchSize: number;
}

/** Infinite if a stage is unstable. */
export interface PipelineEstimate {
  readonly stable: boolean;
  readonly meanMs: number;
  readonly stages: ReadonlyMap<StageId, StageEstimate>;
  quantileMs(fraction: number): number;
}

/** `arrivalRps` counts requests. */
export interface PipelineQuery {
  readonly spec: PipelineSpec;
  readonly stages: ReadonlyMap<StageId, StageConfiguration>;
  readonly arrivalRps: number;
  readonly burstiness?: Burstiness | undefined;
}

function awaitedOf(join: Join | undefined, parts: number): number {
  if (join === 'any') return 1;
  return typeof join === 'object' ? Math.min(join.quorum, parts) : parts;
}

function itemsAwaited(spec: PipelineSpec, id: StageId, groupSize: number): number {
  const join = spec.edges.find((edge) => edge.from === id && edge.join !== undefined)?.join;
  return Math.max(1, awaitedOf(join, groupSize));
}

function arrivingTogether(batches: readonly { readonly size: number; readonly ratio: number }[]): number {
  const total = batches.reduce((sum, { size, ratio }) => sum + size * ratio, 0);
  return Math.max(1, total / Math.max(1, batches.length));
}

function stageEstimates(query: PipelineQuery): ReadonlyMap<StageId, StageEstimate> {
  const { spec, burstiness = poissonBurstiness } = query;
  const estimates = new Map<StageId, StageEstimate>();
  const loads = stageLoads(spec, query.arrivalRps);
  for (const [id, load] of loads) {
    const configuration = query.stages.get(id);
    invariant(configuration !== undefined, `stage ${id} has a configuration`);
    const batches = spec.edges
      .filter((edge) => edge.to === id)
      .map(({ from }) => ({
        size: estimates.get(from)?.meanBatchSize ?? 1,
        ratio: load.visits / (loads.get(from)?.visits ?? load.visits),
      }));
    const groupSize = Math.max(load.groupSize, arrivingTogether(batches));
    const itemsPerRequest = itemsAwaited(spec, id, load.groupSize);
    const { arrivalRps } = load;
    estimates.set(id, refineStage({ ...configuration, arrivalRps, groupSize, itemsPerRequest, burstiness }));
  }
  return estimates;
}

/** Finish of a node relative to its immediate dominator; undefined for the start. */
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

function lawSince(from: Node, node: Node): LatencyLaw {
  let law = constantLaw(0);
  for (let at = node; at !== from; at = at.dominator as Node) law = sumLaw(at.law, law);
  return law;
}

function meet(before: readonly Node[], needed: number, own: LatencyLaw): Node {
  const dominator = before.reduce(commonDominator);
  const branches = before.map((node) => lawSince(dominator, node));
  return { law: sumLaw(awaitedLaw(branches, needed), own), dominator, depth: dominator.depth + 1 };
}

function visitedLaw(
  spec: PipelineSpec,
  visited: ReadonlySet<StageId>,
  laws: ReadonlyMap<StageId, LatencyLaw>,
): LatencyLaw {
  const start: Node = { law: constantLaw(0), dominator: undefined, depth: 0 };
  const nodes = new Map<StageId, Node>();
  const openers = fanOutOpeners(spec);
  for (const id of topologicalOrder(spec).filter((stage) => visited.has(stage))) {
    const edges = spec.edges.filter(({ to }) => to === id);
    const ways = edges.map((edge) => (visited.has(edge.from) ? edge : openers.get(edge))).map((way) => way?.from);
    const reached = ways.filter((from) => from !== undefined && visited.has(from));
    const before = reached.length === 0 ? [start] : reached.map((from) => nodes.get(from as StageId) as Node);
    const needed = Math.min(...edges.map((edge) => awaitedOf(edge.join, before.length)), before.length);
    nodes.set(id, meet(before, needed, laws.get(id) as LatencyLaw));
  }
  const ends = spec.outputs.map((output) => nodes.get(output.from)).filter((node) => node !== undefined);
  const last = ends.length === 0 ? [start] : [...new Set(ends)];
  return lawSince(start, meet(last, last.length, constantLaw(0)));
}

export function estimatePipeline(query: PipelineQuery): PipelineEstimate {
  const stages = stageEstimates(query);
  if ([...stages.values()].some((estimate) => !estimate.stable)) {
    const never = Number.POSITIVE_INFINITY;
    return { stable: false, meanMs: never, stages, quantileMs: () => never };
  }
  const laws = new Map([...stages].map(([id, stage]) => [id, lawFromQuantiles((f) => stage.quantileMs(f))]));
  const law = mixtureLaw(
    visitScenarios(query.spec).map(({ probability, visited }) => ({
      probability,
      law: visitedLaw(query.spec, visited, laws),
    })),
  );
  return { stable: true, meanMs: meanOfLaw(law), stages, quantileMs: (fraction) => quantileOfLaw(law, fraction) };
}

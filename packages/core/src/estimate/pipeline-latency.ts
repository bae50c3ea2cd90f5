/**
 * End-to-end latency from the sojourn laws of stages. Times add along chains. Joins wait for the slowest awaited
 * branch. `when` edges give mixtures. A finish time is relative to the immediate dominator, so shared stages count
 * once.
 */
import { invariant } from '../kernel/invariant.js';
import { type Burstiness, poissonBurstiness } from '../model/expected-load.js';
import type { StageId } from '../model/ids.js';
import type { Join, PipelineSpec } from '../model/pipeline-spec.js';
import { fanOutOpeners, topologicalOrder } from '../model/stage-order.js';
import type { ServiceCurve } from '../profile/service-curves.js';
import { EstimateMemo } from './estimate-memo.js';
import {
  awaitedLaw,
  type chainLaw,
  constantLaw,
  type LatencyLaw,
  meanOfLaw,
  mixtureLaw,
  quantileOfLaw,
} from './latency-law.js';
import { type StageLoad, stageLoads } from './stage-load.js';
import { refineStage, type StageEstimate } from './stage-sojourn.js';
import { sizeParts, slowTogether, type UpstreamBatches } from './upstream-batches.js';
import { visitScenarios } from './visit-scenarios.js';

export interface StageConfiguration {
  readonly curve: ServiceCurve;
  readonly replicas: number;
  readonly maxBatchSize: number;
}

/** Estimate of a pipeline. If a stage is unstable, times are infinite. */
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
  /** Shared by queries of the same pipeline and load. */
  readonly memo?: EstimateMemo | undefined;
}

function awaitedOf(join: Join | undefined, parts: number): number {
  if (join === 'any') return 1;
  return typeof join === 'object' ? Math.min(join.quorum, parts) : parts;
}

function itemsAwaited(spec: PipelineSpec, id: StageId, groupSize: number): number {
  const join = spec.edges.find((edge) => edge.from === id && edge.join !== undefined)?.join;
  return Math.max(1, awaitedOf(join, groupSize));
}

/** Stages that lead to a node, directly or through combine stages. */
function stagesInto(spec: PipelineSpec, id: StageId): readonly StageId[] {
  const before = spec.edges.filter(({ to }) => to === id).map(({ from }) => from);
  return before.flatMap((from) => (isCombine(spec, from) ? stagesInto(spec, from) : [from]));
}

const isCombine = ({ combines = [] }: PipelineSpec, node: StageId): boolean => combines.some(({ id }) => id === node);

/** Batches of the previous stages, with sizes in items of this stage. */
function upstreamBatches(
  { spec, stages }: PipelineQuery,
  id: StageId,
  known: {
    readonly loads: ReadonlyMap<StageId, StageLoad>;
    readonly estimates: ReadonlyMap<StageId, StageEstimate>;
  },
): UpstreamBatches | undefined {
  const before = stagesInto(spec, id);
  if (before.length === 0) return undefined;
  const visits = known.loads.get(id)?.visits ?? 1;
  const batches = before.map((from) => {
    const estimate = known.estimates.get(from) as StageEstimate;
    const { curve } = stages.get(from) as StageConfiguration;
    // Visits are 0 if no request reaches a stage.
    const ratio = visits / (known.loads.get(from)?.visits || visits || 1);
    return {
      sizes: estimate.batchSizes().map((size) => size * ratio),
      serviceMs: curve.meanMs(Math.round(estimate.meanBatchSize)) / curve.shareFraction,
    };
  });
  // If branches meet, items arrive together only if they shared a batch in all branches.
  const meet = before.every((from) => (known.loads.get(from)?.visits ?? visits) >= visits);
  const together = (sizes: readonly number[]): number =>
    meet ? Math.min(...sizes) : sizes.reduce((sum, size) => sum + size, 0) / sizes.length;
  return {
    sizes: sizeParts.map((_, part) => Math.max(1, together(batches.map(({ sizes }) => sizes[part] as number)))),
    serviceMs: Math.max(...batches.map(({ serviceMs }) => serviceMs)),
  };
}

interface StageEstimates {
  readonly estimates: ReadonlyMap<StageId, StageEstimate>;
  /** By stage: fraction of requests that are slow in it and before it. */
  readonly together: ReadonlyMap<StageId, number>;
}

function stageEstimates(query: PipelineQuery, memo: EstimateMemo): StageEstimates {
  const { spec, burstiness = poissonBurstiness } = query;
  const estimates = new Map<StageId, StageEstimate>();
  const together = new Map<StageId, number>();
  const loads = stageLoads(spec, query.arrivalRps);
  for (const [id, load] of loads) {
    if (isCombine(spec, id)) continue;
    const configuration = query.stages.get(id);
    invariant(configuration !== undefined, `stage ${id} has a configuration`);
    const { arrivalRps, groupSize } = load;
    const upstream = upstreamBatches(query, id, { loads, estimates });
    if (upstream !== undefined) together.set(id, slowTogether(upstream));
    const itemsPerRequest = itemsAwaited(spec, id, groupSize);
    const make = () => refineStage({ ...configuration, arrivalRps, groupSize, itemsPerRequest, burstiness, upstream });
    estimates.set(id, memo.estimate({ id, configuration }, upstream, make));
  }
  return { estimates, together };
}

interface OwnLaw {
  readonly law: LatencyLaw;
  readonly together: number;
}

const NO_TIME: OwnLaw = { law: constantLaw(0), together: 0 };

/** Finish of a node relative to its immediate dominator. The start has none. */
interface Node {
  readonly law: LatencyLaw;
  readonly dominator: Node | undefined;
  readonly depth: number;
  readonly together: number;
}

function commonDominator(a: Node, b: Node): Node {
  let [x, y] = [a, b];
  while (x !== y) {
    if (x.depth >= y.depth) x = x.dominator as Node;
    else y = y.dominator as Node;
  }
  return x;
}

function lawSince(from: Node, node: Node, chain: typeof chainLaw): LatencyLaw {
  let law = NO_TIME.law;
  let together = 0;
  for (let at = node; at !== from; at = at.dominator as Node) {
    law = chain(at.law, law, together);
    together = at.together;
  }
  return law;
}

function meet(before: readonly Node[], needed: number, { law: own, together }: OwnLaw, chain: typeof chainLaw): Node {
  const dominator = before.reduce(commonDominator);
  const branches = before.map((node) => lawSince(dominator, node, chain));
  return {
    law: chain(awaitedLaw(branches, needed), own, together),
    dominator,
    depth: dominator.depth + 1,
    together,
  };
}

function visitedLaw(
  spec: PipelineSpec,
  visited: ReadonlySet<StageId>,
  laws: ReadonlyMap<StageId, OwnLaw>,
  chain: typeof chainLaw,
): LatencyLaw {
  const start: Node = { law: NO_TIME.law, dominator: undefined, depth: 0, together: 0 };
  const nodes = new Map<StageId, Node>();
  const openers = fanOutOpeners(spec);
  for (const id of topologicalOrder(spec).filter((stage) => visited.has(stage))) {
    const edges = spec.edges.filter(({ to }) => to === id);
    const ways = edges.map((edge) => (visited.has(edge.from) ? edge : openers.get(edge))).map((way) => way?.from);
    const reached = ways.filter((from) => from !== undefined && visited.has(from));
    const before = reached.length === 0 ? [start] : reached.map((from) => nodes.get(from as StageId) as Node);
    const needed = Math.min(...edges.map((edge) => awaitedOf(edge.join, before.length)), before.length);
    nodes.set(id, meet(before, needed, laws.get(id) ?? NO_TIME, chain));
  }
  const answers = spec.outputs.map((output) => nodes.get(output.from)).filter((node) => node !== undefined);
  // Without an output, the last stages decide that all outputs are skipped.
  const isLast = (id: StageId) => !spec.edges.some(({ from, to }) => from === id && visited.has(to));
  const ends = answers.length > 0 ? answers : [...nodes].filter(([id]) => isLast(id)).map(([, node]) => node);
  const last = ends.length === 0 ? [start] : [...new Set(ends)];
  return lawSince(start, meet(last, last.length, NO_TIME, chain), chain);
}

export function estimatePipeline(query: PipelineQuery): PipelineEstimate {
  const { memo = new EstimateMemo() } = query;
  const { estimates: stages, together } = stageEstimates(query, memo);
  if ([...stages.values()].some((estimate) => !estimate.stable)) {
    const never = Number.POSITIVE_INFINITY;
    return { stable: false, meanMs: never, stages, quantileMs: () => never };
  }
  const laws = new Map(
    [...stages].map(([id, stage]) => [id, { law: memo.lawOf(stage), together: together.get(id) ?? 0 }]),
  );
  const law = mixtureLaw(
    visitScenarios(query.spec).map(({ probability, visited }) => ({
      probability,
      law: visitedLaw(query.spec, visited, laws, memo.chain),
    })),
  );
  return { stable: true, meanMs: meanOfLaw(law), stages, quantileMs: (fraction) => quantileOfLaw(law, fraction) };
}

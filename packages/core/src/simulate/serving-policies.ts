import { carriedSlowness } from '../estimate/carried-slowness.js';
import { invariant } from '../kernel/invariant.js';
import type { StageId } from '../model/ids.js';
import { defaultRunTimeoutMs, type PipelineSpec, type StageSpec } from '../model/pipeline-spec.js';
import type { Plan, StagePlan } from '../model/plan.js';
import { withQuorums } from '../model/quorum.js';
import { quorumsOfPlan } from '../model/resolved-spec.js';
import type { ServiceCurves } from '../profile/service-curves.js';
import { lawFractionBelow, lawQuantileMs } from '../profile/service-law.js';
import type { BatchPolicy } from '../serve/batch-policy.js';
import type { CanaryPolicy } from '../serve/canary-lane.js';
import { hangBoundMs, mostHangBoundMs } from '../serve/health/replica-health.js';
import type { CanaryProfile } from '../serve/rollout/slowness.js';
import { type ServingEdge, type ServingGraph, servingGraph } from '../serve/serving-graph.js';

/**
 * Batch policies by stage: batching, expected service time, and remaining time for early drops. Remaining time is the
 * longest path over edges without conditions, with mean service times of single items. Before an early join only the
 * shortest branch counts. Shares of waits are those of full batches on the longest path.
 */
export function batchPolicies(
  spec: PipelineSpec,
  plan: Pick<Plan, 'stages'>,
  curves: ServiceCurves,
  host: ServingHost = {},
): readonly BatchPolicy[] {
  // With the largest quorum a join may spare no part.
  const graph = servingGraph(withQuorums(spec, quorumsOfPlan(spec, plan.stages)));
  const expectation = { plan, curves, sloMs: spec.slo.latencyMs, host };
  const expected = spec.stages.map((stage) => expectedBatches(stage, expectation));
  const isOmitted = (node: number): boolean => plan.stages[graph.nodes[node]?.id as StageId]?.[0]?.replicas === 0;
  const remainingMs = graph.nodes.map(() => 0);
  const leastMs = ({ to }: ServingEdge): number => (expected[to]?.serviceMs[1] ?? 0) + (remainingMs[to] ?? 0);
  const canSpare = ({ to }: ServingEdge): boolean => (graph.nodes[to]?.discardedBy.length ?? 0) > 0;
  for (const index of graph.topologicalOrder.toReversed()) {
    const certain =
      graph.nodes[index]?.outEdges.filter(({ condition, to }) => condition === undefined && !isOmitted(to)) ?? [];
    const spared = certain.filter(canSpare).map(leastMs);
    const needed = certain.filter((edge) => !canSpare(edge)).map(leastMs);
    remainingMs[index] = Math.max(0, ...needed, spared.length > 0 ? Math.min(...spared) : 0);
  }
  const shares = waitShares(graph, expected, isOmitted);
  return graph.stages.map(({ id, index }) => ({
    maxBatchSize: plan.stages[id]?.[0]?.maxBatchSize ?? 1,
    maxBatchWaitMs: plan.stages[id]?.[0]?.maxBatchWaitMs ?? 0,
    expectedServiceMs: expected[index]?.serviceMs ?? [],
    hungAfterMs: expected[index]?.hungAfterMs ?? [],
    hungAtMostMs: expected[index]?.hungAtMostMs ?? [],
    remainingMs: remainingMs[index] ?? 0,
    waitShare: shares[index] ?? 1,
    ...(isOmitted(index) && { isOmitted: true }),
    ...(plan.stages[id]?.[0]?.threshold !== undefined && { threshold: plan.stages[id][0].threshold }),
    ...(plan.stages[id]?.[0]?.quorum !== undefined && { quorum: plan.stages[id][0].quorum }),
  }));
}

/** Part of later stages, for which a wait at a stage leaves slack. At 1, the shares of all stages make the whole. */
const LEFT_FOR_LATER = 0.8;

/**
 * Shares of the slack for waits, by node. Without them, the first stage that is overloaded uses up the slack, later
 * stages drop what it has served, and the throughput in time falls as the load rises.
 */
function waitShares(
  graph: ServingGraph,
  expected: readonly ExpectedBatches[],
  isOmitted: (node: number) => boolean,
): readonly number[] {
  const fullMs = graph.nodes.map((_, node) => (isOmitted(node) ? 0 : (expected[node]?.serviceMs.at(-1) ?? 0)));
  const laterMs = fullMs.map(() => 0);
  for (const index of graph.topologicalOrder.toReversed()) {
    const after = graph.nodes[index]?.outEdges.map(({ to }) => (fullMs[to] ?? 0) + (laterMs[to] ?? 0)) ?? [];
    laterMs[index] = Math.max(0, ...after);
  }
  return fullMs.map((ownMs, index) => {
    const later = laterMs[index] ?? 0;
    return later === 0 ? 1 : 1 - (LEFT_FOR_LATER * later) / (ownMs + later);
  });
}

export interface ServingHost {
  /** Share of a core that the kernel allows the serving process, if below 1; default 1. */
  readonly quotaFraction?: number;
}

/** Times in ms by batch size; index 0 is unused. */
interface ExpectedBatches {
  readonly serviceMs: readonly number[];
  readonly hungAfterMs: readonly number[];
  readonly hungAtMostMs: readonly number[];
}

interface Expectation {
  readonly plan: Pick<Plan, 'stages'>;
  readonly curves: ServiceCurves;
  readonly sloMs: number;
  readonly host: ServingHost;
}

const TAIL_FRACTION = 0.9999;

function expectedBatches(
  { id, runTimeoutMs = defaultRunTimeoutMs }: StageSpec,
  { plan, curves, sloMs, host }: Expectation,
): ExpectedBatches {
  const stagePlan = plan.stages[id]?.[0];
  const curve = stagePlan && curves.curve(id, stagePlan.variantId, stagePlan.resources.cpuCores);
  if (stagePlan === undefined || curve === undefined) return { serviceMs: [], hungAfterMs: [], hungAtMostMs: [] };
  const bySize = (timeMs: (size: number) => number): readonly number[] =>
    Array.from({ length: stagePlan.maxBatchSize + 1 }, (_, size) => (size === 0 ? 0 : timeMs(size)));
  const isElsewhere = curve.dispatchCores === 0;
  const shareFraction = isElsewhere ? Math.min(1, curve.cpuCores) : (host.quotaFraction ?? 1);
  const hungAfterMs = (size: number): number => {
    const tailMs = lawQuantileMs(curve.law(size), TAIL_FRACTION);
    return Math.min(runTimeoutMs, hangBoundMs({ meanMs: curve.meanMs(size), tailMs, sloMs, shareFraction }));
  };
  const hungAtMostMs = (size: number): number =>
    Math.min(runTimeoutMs, mostHangBoundMs({ meanMs: curve.meanMs(size), sloMs, shareFraction }));
  return {
    serviceMs: bySize((size) => curve.meanMs(size)),
    hungAfterMs: bySize(hungAfterMs),
    hungAtMostMs: bySize(hungAtMostMs),
  };
}

/**
 * Keeps drop rules consistent with configuration and service times. Until a stage serves, its policy stays, so that
 * drops never assume times of replicas that are not there.
 */
export class ServingPolicies {
  readonly #spec: PipelineSpec;
  #curves: ServiceCurves;
  readonly #setPolicy: (stageId: StageId, policy: BatchPolicy) => void;
  readonly #host: ServingHost;
  readonly #serving: Record<StageId, readonly StagePlan[]> = {};

  constructor(
    spec: PipelineSpec,
    curves: ServiceCurves,
    setPolicy: (stageId: StageId, policy: BatchPolicy) => void,
    host: ServingHost = {},
  ) {
    this.#spec = spec;
    this.#curves = curves;
    this.#setPolicy = setPolicy;
    this.#host = host;
  }

  /** Adopts the plan of a stage. Stages before it change, too: by their remaining time. */
  adopt(stageId: StageId, to: StagePlan): void {
    const [serving] = this.#serving[stageId] ?? [];
    // Until its last request has ended, an omitted stage serves as before.
    this.#serving[stageId] = [to.replicas === 0 && serving !== undefined ? { ...serving, replicas: 0 } : to];
    this.#setAll();
  }

  canaryPolicy(stageId: StageId, to: StagePlan): CanaryPolicy {
    const [spec, curves] = [this.#spec, this.#curves];
    const stages = { ...this.#serving, [stageId]: [to] };
    const policy = batchPolicies(spec, { stages }, curves, this.#host)[
      spec.stages.findIndex(({ id }) => id === stageId)
    ];
    invariant(policy !== undefined, `the pipeline has the stage ${stageId}`);
    const curve = curves.curve(stageId, to.variantId, to.resources.cpuCores);
    if (curve === undefined) return policy;
    const profile: CanaryProfile = {
      meanMs: (batchSize) => curve.meanMs(batchSize),
      fractionBelow: (batchSize, ms) => lawFractionBelow(curve.law(batchSize), ms),
      carries: carriedSlowness({ spec, curves, stages, stageId }),
    };
    return { ...policy, profile };
  }

  follow(curves: ServiceCurves): void {
    if (curves === this.#curves) return;
    this.#curves = curves;
    this.#setAll();
  }

  #setAll(): void {
    const policies = batchPolicies(this.#spec, { stages: this.#serving }, this.#curves, this.#host);
    for (const [index, { id }] of this.#spec.stages.entries()) {
      const policy = policies[index];
      if (policy !== undefined && this.#serving[id] !== undefined) this.#setPolicy(id, policy);
    }
  }
}

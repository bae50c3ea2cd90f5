import { planObjection, planOfStages } from '@equipoise/core/control';
import {
  omittedNodes,
  oneRouter,
  type PipelineSpec,
  type Plan,
  planOfRouter,
  quorumChoices,
  type StageId,
  type StagePlan,
  thresholdChoices,
  thresholdsOf,
} from '@equipoise/core/model';
import { parsePipelineFile } from '@equipoise/pipeline-file';
import type { KubeObject } from '../api/kube-object.js';
import {
  deployments,
  type InferencePipeline,
  isRouter,
  type ObservedDeployment,
  routerOf,
} from '../cluster/observed-objects.js';
import { digestOf } from '../reconcile/replica-groups.js';
import { fileOf } from '../render/config-files.js';
import type { ConfigMap } from '../render/manifest-types.js';
import type { PlanAnswer } from './planning.js';

/**
 * The plan of one router, from that of all in the status, to continue with after a restart. Undefined if the pipeline
 * cannot run it, or if it is for another number of routers.
 */
export function keptPlan(
  { status }: InferencePipeline,
  spec: PipelineSpec,
  split = oneRouter,
): Extract<PlanAnswer, { kind: 'plan' }> | undefined {
  const { plan, plannedAt, plannedForRps, conditions = [] } = status ?? {};
  if (plan === undefined || plannedAt === undefined || plannedForRps === undefined) return undefined;
  if ((plan.routers ?? 1) !== split.count) return undefined;
  const own = planOfRouter(withoutNull(plan), split);
  if (planObjection(spec, own) !== undefined) return undefined;
  const plannedAtEpochMs = Date.parse(plannedAt);
  const shortfall = conditions.find(({ type, reason }) => type === 'Planned' && reason === 'BestEffort')?.message;
  return {
    kind: 'plan',
    plan: own,
    ...(split.count > 1 && { split }),
    profiles: [],
    arrivalRps: plannedForRps,
    plannedAtEpochMs,
    shortfall,
  };
}

/** Replaces null, which JSON writes for Infinity. */
function withoutNull(plan: Plan): Plan {
  const finite = <T extends { readonly latencyMs: number | null }>(of: T): T & { readonly latencyMs: number } => ({
    ...of,
    latencyMs: of.latencyMs ?? Number.POSITIVE_INFINITY,
  });
  const { predicted, verified } = plan;
  return { ...plan, predicted: finite(predicted), ...(verified && { verified: finite(verified) }) };
}

/** Plan pinned by the router's file; undefined if it does not match the current pipeline. */
export function routedPlan(spec: PipelineSpec, children: readonly KubeObject[]): Plan | undefined {
  const own = children.filter((child) => isRouter(child) && routerOf(child) === 0);
  const config = own.find(({ kind }) => kind === 'ConfigMap') as ConfigMap | undefined;
  const router = own.find(({ kind }) => kind === deployments.kind) as ObservedDeployment | undefined;
  const file = fileOf(config, router && digestOf(router));
  if (file === undefined) return undefined;
  const parsed = parsePipelineFile(file, { fileName: 'router', baseDir: '/' });
  if (parsed.kind === 'invalid') return undefined;
  const stages: Record<StageId, readonly StagePlan[]> = {};
  const routedStages = new Map(parsed.spec.stages.map((stage) => [stage.id, stage]));
  const missing = spec.stages.filter(({ id }) => !routedStages.has(id));
  const omitted = omittedNodes(
    spec,
    missing.flatMap(({ id, optional }) => (optional ? [id] : [])),
  );
  for (const { id, variants } of spec.stages) {
    const routed = routedStages.get(id);
    if (routed === undefined && omitted?.has(id)) continue;
    const { variantId, cpuCores, maxBatchSize, replicas } = routed?.pins ?? {};
    const variant = variants.find((each) => each.id === variantId);
    if (routed === undefined || variant === undefined) return undefined;
    if (cpuCores === undefined || maxBatchSize === undefined || replicas === undefined) return undefined;
    const { memoryBytes, gpus } = variant;
    stages[id] = [
      {
        variantId: variant.id,
        resources: { cpuCores, memoryBytes, gpus },
        maxBatchSize,
        replicas,
        maxBatchWaitMs: routed.bounds.maxBatchWaitMs,
        trafficFraction: 1,
        ...routedThreshold(id, { spec, routed: parsed.spec }),
        ...routedQuorum(id, { spec, routed: parsed.spec }),
      },
    ];
  }
  return planOfStages(spec, stages);
}

interface RoutedSpec {
  readonly spec: PipelineSpec;
  readonly routed: PipelineSpec;
}

/** The router's file has only the chosen threshold. */
function routedThreshold(id: StageId, { spec, routed }: RoutedSpec): { readonly threshold?: number } {
  const [threshold] = thresholdsOf(routed, id);
  return threshold === undefined || thresholdChoices(spec, id).length === 0 ? {} : { threshold };
}

/** The router's file has only the chosen quorum, or fewer parts if the plan omits members. */
function routedQuorum(id: StageId, { spec, routed }: RoutedSpec): { readonly quorum?: number } {
  const choice = quorumChoices(spec).find(({ carrier }) => carrier === id);
  const join = routed.edges.find(({ to }) => to === choice?.join)?.join;
  if (choice === undefined || typeof join !== 'object') return {};
  const quorum = choice.quorums.find((each) => each >= join.quorum);
  return quorum === undefined ? {} : { quorum };
}

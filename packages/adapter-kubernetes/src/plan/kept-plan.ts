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
  type StageSpec,
  thresholdChoices,
  thresholdsOf,
} from '@equipoise/core/model';
import { parsePipelineFile } from '@equipoise/pipeline-file';
import type { KubeObject } from '../api/kube-object.js';
import { workloadName } from '../cluster/object-names.js';
import {
  deployments,
  type InferencePipeline,
  isRouter,
  isStage,
  type ObservedDeployment,
  routerOf,
} from '../cluster/observed-objects.js';
import { withLiveForms } from '../reconcile/engine-stages.js';
import { digestOf } from '../reconcile/replica-groups.js';
import { routesOf, withKnownRoutes } from '../reconcile/routes.js';
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

/**
 * Plan pinned by the router's file; undefined if it does not match the current pipeline. Stages that the router follows
 * have the replicas that the router was told of, or those of their Deployments.
 */
export function routedPlan(spec: PipelineSpec, children: readonly KubeObject[]): Plan | undefined {
  const own = children.filter((child) => isRouter(child) && routerOf(child) === 0);
  const config = own.find(({ kind }) => kind === 'ConfigMap') as ConfigMap | undefined;
  const router = own.find(({ kind }) => kind === deployments.kind) as ObservedDeployment | undefined;
  const file = fileOf(config, router && digestOf(router));
  if (file === undefined) return undefined;
  const parsed = parsePipelineFile(file, { fileName: 'router', baseDir: '/' });
  if (parsed.kind === 'invalid') return undefined;
  const { inForce } = routesOf(router && withKnownRoutes(router, own, stagesOf(children)));
  const stages: Record<StageId, readonly StagePlan[]> = {};
  const routedStages = new Map(parsed.spec.stages.map((stage) => [stage.id, stage]));
  const missing = spec.stages.filter(({ id }) => !routedStages.has(id));
  const omitted = omittedNodes(
    spec,
    missing.flatMap(({ id, optional }) => (optional ? [id] : [])),
  );
  for (const stage of spec.stages) {
    const routed = routedStages.get(stage.id);
    if (routed === undefined && omitted?.has(stage.id)) continue;
    const plan = routed && routedStagePlan(stage, routed, inForce, { spec, routed: parsed.spec });
    if (plan === undefined) return undefined;
    stages[stage.id] = [plan];
  }
  return planOfStages(spec, stages);
}

/** Undefined if the router has no such variant, or not all of its settings. */
function routedStagePlan(
  { id, variants }: StageSpec,
  { pins, bounds }: StageSpec,
  inForce: ReadonlyMap<string, number>,
  specs: RoutedSpec,
): StagePlan | undefined {
  const { variantId, cpuCores, maxBatchSize } = pins;
  const variant = variants.find((each) => each.id === variantId);
  if (variant === undefined || cpuCores === undefined || maxBatchSize === undefined) return undefined;
  const replicas = pins.replicas ?? inForce.get(workloadName(specs.routed.name, id, variant.id));
  if (replicas === undefined) return undefined;
  const { memoryBytes, gpus } = variant;
  return {
    variantId: variant.id,
    resources: { cpuCores, memoryBytes, gpus },
    maxBatchSize,
    replicas,
    maxBatchWaitMs: bounds.maxBatchWaitMs,
    trafficFraction: 1,
    ...routedThreshold(id, specs),
    ...routedQuorum(id, specs),
  };
}

/** Deployments of stages, and the forms of those that an engine runs. */
const stagesOf = (children: readonly KubeObject[]): readonly ObservedDeployment[] =>
  withLiveForms(children, 0).filter(
    (child): child is ObservedDeployment => child.kind === deployments.kind && isStage(child),
  );

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

import type { Plan } from '@equipoise/core/model';
import { type KubeObject, refTo } from '../api/kube-object.js';
import { LABEL_PREFIX } from '../cluster/object-names.js';
import {
  deployments,
  isLost,
  isRouter,
  isStage,
  type ObservedDeployment,
  renderedTypes,
} from '../cluster/observed-objects.js';
import { rolloutState } from '../cluster/rollout-state.js';
import type { InferencePipelineStatus } from '../crd/status-schema.js';
import { targetOf } from '../observe/pipeline-target.js';
import { graphEngineOf } from '../render/engines/targets.js';
import { CONFIG_DIGEST } from '../render/pod-template.js';
import { activeCanary, withdrawCanary } from './canary.js';
import { engineObjectsOf, engineRefsOf, settledAfterMs, withLiveForms, withWantedForms } from './engine-stages.js';
import { conditionsOf, findingsOf } from './findings.js';
import { activeGraphCanary, asDeployments, isGraph, isWholeGraph } from './graph-objects.js';
import { transitionGraph } from './graph-transition.js';
import { type FileUse, withKeptFiles, withKeptPauses } from './kept-templates.js';
import type { ObservedPipeline, Phase, Planning, Reconciliation } from './reconciliation.js';
import { digestOf } from './replica-groups.js';
import { nextRollback } from './rollback.js';
import { routersWork } from './routers.js';
import { IDLE, type Work } from './transition.js';
import { transitionWhole } from './whole-graph.js';

/** Pure function from observed objects and a plan to writes and the status. */

export function reconcile(
  seen: ObservedPipeline,
  planned: Planning,
  at: { readonly nowEpochMs: number },
): Reconciliation {
  // No change waits for a lost pod, and it holds no cores that another pod could use.
  const observed = { ...seen, pods: seen.pods.filter((pod) => !isLost(pod, at.nowEpochMs)) };
  if (walksGraph(observed)) return reconcileForms(observed, planned, at);
  const view = { ...observed, children: withLiveForms(observed.children, at.nowEpochMs) };
  const planning = planned.kind === 'planned' ? { ...planned, objects: withWantedForms(planned.objects) } : planned;
  const { apply, remove, againAfterMs = Number.POSITIVE_INFINITY, ...rest } = reconcileForms(view, planning, at);
  const settledMs = settledAfterMs(observed.children, at.nowEpochMs) ?? Number.POSITIVE_INFINITY;
  const soonestMs = Math.min(againAfterMs, settledMs);
  return {
    ...rest,
    againAfterMs: Number.isFinite(soonestMs) ? soonestMs : undefined,
    apply: apply.flatMap((object) => engineObjectsOf(object, observed.children)),
    remove: remove.flatMap((ref) => engineRefsOf(ref, observed.children)),
  };
}

function withKeptParts(
  object: KubeObject,
  { children, pods }: ObservedPipeline,
  live: ReadonlyMap<string, ObservedDeployment>,
): KubeObject {
  const { name } = object.metadata;
  if (object.kind !== 'ConfigMap' && object.kind !== deployments.kind) return object;
  const config = children.find((child) => child.kind === 'ConfigMap' && child.metadata.name === name);
  if (object.kind !== 'ConfigMap') return withKeptPauses(object, live.get(name), config);
  return withKeptFiles(object, config, () => fileUseOf(live.get(name), live, pods));
}

function fileUseOf(
  workload: ObservedDeployment | undefined,
  live: ReadonlyMap<string, ObservedDeployment>,
  pods: ObservedPipeline['pods'],
): FileUse {
  const ofTemplates = [...live.values()].map(digestOf);
  const ofPods = pods.map(({ metadata }) => metadata.annotations?.[CONFIG_DIGEST]);
  // The forms of an engine that walks the graph have no template.
  const isSettled =
    workload !== undefined && digestOf(workload) !== undefined && rolloutState(workload).kind === 'complete';
  return {
    digests: new Set([...ofTemplates, ...ofPods].filter((digest) => digest !== undefined)),
    isChanging: !isSettled,
  };
}

const walksGraph = ({ pipeline }: ObservedPipeline): boolean => graphEngineOf(targetOf(pipeline)) !== undefined;

function reconcileForms(
  view: ObservedPipeline,
  planning: Planning,
  at: { readonly nowEpochMs: number },
): Reconciliation {
  const { metadata, status } = view.pipeline;
  // Tools that wait for a change of the spec wait until the plan is that of this spec.
  const generation = (view.isReplanning === true ? status?.observedGeneration : undefined) ?? metadata.generation ?? 0;
  const isTheirs = walksGraph(view);
  const live = isTheirs ? asDeployments(view.children) : deploymentsOf(view.children);
  const { finalizer, phase, apply, remove, foreign, againAfterMs, awaitsVerdict, ...work } = workOf(
    view,
    live,
    planning,
    at,
  );
  const kept = isTheirs ? activeGraphCanary(view) : activeCanary(view, live);
  const { isQuiet, canary = LEAVES_SHARE.includes(phase) ? kept : undefined } = work;
  const { nowEpochMs } = at;
  const rollback = nextRollback(view.pipeline, work.failure, nowEpochMs);
  const findings = findingsOf({ view, planning, phase, live, foreign, nowEpochMs, canary, rollback, isQuiet });
  const conditions = conditionsOf(findings, status?.conditions ?? [], { generation, epochMs: nowEpochMs });
  return {
    finalizer,
    phase,
    apply: apply.map((object) => withKeptParts(object, view, live)),
    remove,
    againAfterMs,
    awaitsVerdict,
    status: {
      observedGeneration: generation,
      mode: modeOf(view),
      conditions,
      ...planOf(live, planning),
      ...(view.observed !== undefined && { observed: view.observed }),
      ...(canary && { shift: canary }),
      ...(rollback && { rollback }),
    },
  };
}

function workOf(
  view: ObservedPipeline,
  live: ReadonlyMap<string, ObservedDeployment>,
  planning: Planning,
  at: { readonly nowEpochMs: number },
): Work & Pick<Reconciliation, 'finalizer'> {
  const { deletionTimestamp, finalizers = [] } = view.pipeline.metadata;
  const isHeld = finalizers.includes(FINALIZER);
  if (deletionTimestamp !== undefined) return isHeld ? endPipeline(view) : IDLE;
  return { ...plannedWork(view, live, planning, at), finalizer: finalizerChange(view) };
}

function plannedWork(
  view: ObservedPipeline,
  live: ReadonlyMap<string, ObservedDeployment>,
  planning: Planning,
  at: { readonly nowEpochMs: number },
): Work {
  if (planning.kind !== 'planned')
    return hasNoPlan(view, planning) ? { ...IDLE, apply: withdrawCanary(view, live) } : IDLE;
  if (planning.mode !== 'auto') return IDLE;
  const engine = graphEngineOf(planning.target);
  if (engine === 'seldon-v1') return transitionWhole(view, planning, at);
  if (engine !== undefined) return transitionGraph(view, planning, at);
  return routersWork(view, live, planning, at);
}

/** Without the annotation, nothing holds a deleted pipeline: the garbage collector removes its objects. */
function finalizerChange({ pipeline: { metadata } }: ObservedPipeline): Reconciliation['finalizer'] {
  const isHeld = (metadata.finalizers ?? []).includes(FINALIZER);
  const isWanted = metadata.annotations?.[DRAIN] === 'true';
  if (isHeld === isWanted) return undefined;
  return isWanted ? 'set' : 'take-off';
}

const LEAVES_SHARE: readonly Phase[] = ['idle', 'preparing', 'sharing', 'no-room'];

/** True if there is no plan and the cluster may be changed. */
function hasNoPlan(view: ObservedPipeline, planning: Planning): boolean {
  const isPending = planning.kind === 'unplanned' && planning.reason === 'Pending';
  return modeOf(view) === 'auto' && !isPending;
}

const MODES = ['auto', 'advise', 'off'] as const;

/** The mode of the spec, which need not be valid. The default of the definition is `advise`. */
function modeOf({ pipeline }: ObservedPipeline): (typeof MODES)[number] {
  const { control } = pipeline.spec as { readonly control?: { readonly mode?: unknown } };
  return MODES.find((mode) => mode === control?.mode) ?? 'advise';
}

function deploymentsOf(children: readonly KubeObject[]): ReadonlyMap<string, ObservedDeployment> {
  const found = children.filter((child): child is ObservedDeployment => child.kind === deployments.kind);
  return new Map(found.map((deployment) => [deployment.metadata.name, deployment]));
}

function planOf(
  live: ReadonlyMap<string, ObservedDeployment>,
  planning: Planning,
): Pick<InferencePipelineStatus, 'plan' | 'plannedAt' | 'plannedForRps' | 'replicas'> {
  if (planning.kind !== 'planned') return {};
  const stages = [...live.values()].filter(isStage);
  const planned = Object.values(planning.plan.stages).flat();
  return {
    plan: roundedPlan(planning.plan),
    plannedAt: new Date(planning.plannedAtEpochMs).toISOString().replace(/\.\d+Z$/, 'Z'),
    plannedForRps: planning.arrivalRps,
    replicas: {
      desired: planned.reduce((sum, { replicas }) => sum + replicas, 0),
      ready: stages.reduce((sum, { status }) => sum + (status?.readyReplicas ?? 0), 0),
    },
  };
}

/** The plan with figures of four digits, as printer columns show them. Nothing that pods depend on is rounded. */
function roundedPlan(plan: Plan): Plan {
  const { predicted, verified } = plan;
  const figures = <T extends object>(of: T): T =>
    Object.fromEntries(Object.entries(of).map(([name, value]) => [name, roundedFigure(value)])) as T;
  return { ...plan, predicted: figures(predicted), ...(verified && { verified: figures(verified) }) };
}

const roundedFigure = (value: unknown): unknown =>
  typeof value === 'number' && Number.isFinite(value) && !Number.isInteger(value)
    ? Number(value.toPrecision(4))
    : value;

/** Finalizer that keeps a deleted pipeline until its router is gone. */
export const FINALIZER = `${LABEL_PREFIX}/drain`;

/** Annotation (`true`) of pipelines whose stages must outlive the router when they are deleted. */
const DRAIN = `${LABEL_PREFIX}/drain`;

/** Removes the finalizer after the router's last pod; the garbage collector removes the rest. */
function endPipeline({ children, pods }: ObservedPipeline): Work & Pick<Reconciliation, 'finalizer'> {
  const router = children.filter(
    (child) => isWholeGraph(child) || ((child.kind === 'Deployment' || isGraph(child)) && isRouter(child)),
  );
  const remove = router.flatMap((child) => {
    const type = renderedTypes[child.kind];
    return type === undefined || child.metadata.deletionTimestamp !== undefined ? [] : [refTo(type, child)];
  });
  const isGone = router.length === 0 && !pods.some(isRouter);
  return { ...IDLE, phase: 'ending', remove, finalizer: isGone ? 'take-off' : undefined };
}

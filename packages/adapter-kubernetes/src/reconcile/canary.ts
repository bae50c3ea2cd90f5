/**
 * Canary of a plan with new workloads. Once they are ready, a second router gets a fraction of the requests, in steps
 * judged by core/serve/rollout/canary. Each step is a configuration of the serving router, so progress can be read from
 * the cluster.
 */

import type { Slo } from '@equipoise/core/model';
import { type CanaryVerdict, judgeCanary, nextFraction } from '@equipoise/core/serve';
import { type KubeObject, type ObjectRef, refTo } from '../api/kube-object.js';
import {
  isCanaryRouter,
  isRouter,
  type ObservedDeployment,
  ownedTypes,
  routerOf,
} from '../cluster/observed-objects.js';
import { rolloutState } from '../cluster/rollout-state.js';
import { type CanaryMeans, MEANS } from '../observe/mesh.js';
import type { Deployment } from '../render/manifest-types.js';
import { type CanarySplit, mayBeRemoved, meansOf, splitOf, UNWATCHED_MS } from './canary-means.js';
import { canaryName, canaryObjects, reachCanaryRouter } from './canary-router.js';
import type { ObservedPipeline } from './reconciliation.js';
import { digestOf, isOfTemplate } from './replica-groups.js';
import { type CanaryFailure, heldUntilMs, isUrgent } from './rollback.js';
import { type Routes, routesOf, sendsTo } from './routes.js';

/** Time between checks; routers report once a second. */
const LOOK_MS = 1_000;
/** Stale signals roll a canary back after this time. */
const STALE_MS = 60_000;
const FIRST_SIGNAL_MS = 10_000;

export interface CanaryInput {
  readonly view: ObservedPipeline;
  readonly live: ReadonlyMap<string, ObservedDeployment>;
  readonly wanted: readonly KubeObject[];
  readonly stages: readonly Deployment[];
  readonly router: Deployment;
  readonly liveRouter: ObservedDeployment;
  readonly routes: Routes;
  readonly isPrepared: boolean;
  /** Workloads with replicas set by foreign writers. */
  readonly held: ReadonlySet<string>;
  readonly slo: Pick<Slo, 'percentile'>;
  readonly nowEpochMs: number;
}

/** Decision on a canary. `none`: no step; the router switches when the stages are ready. */
export type CanaryDecision =
  | { readonly kind: 'none'; readonly againAfterMs?: number | undefined }
  | {
      readonly kind: 'step';
      readonly fraction: number;
      readonly newcomers: readonly string[];
      readonly apply: readonly KubeObject[];
      readonly againAfterMs?: number | undefined;
      readonly awaitsVerdict?: boolean | undefined;
      readonly isQuiet?: boolean | undefined;
      /** The failure is recorded before anything is removed. */
      readonly failure?: CanaryFailure;
    }
  /** The plan is in back-off: the running plan stays, and new workloads are removed once no router uses them. */
  | {
      readonly kind: 'taken-back';
      readonly apply: readonly KubeObject[];
      readonly remove: readonly ObjectRef[];
      readonly againAfterMs: number;
    };

const NONE: CanaryDecision = { kind: 'none' };
const NO_SIGNAL: CanaryVerdict = { kind: 'open', missingOutcomes: 0 };

/** When to look again, and why a step goes on. */
type Waiting = Pick<Extract<CanaryDecision, { kind: 'step' }>, 'againAfterMs' | 'awaitsVerdict' | 'isQuiet'>;

interface CanaryGrounds extends CanaryInput {
  readonly split: CanarySplit;
}

export function decideCanary(input: CanaryInput): CanaryDecision {
  const { view, live, router, liveRouter, routes, isPrepared, nowEpochMs } = input;
  const grounds = { ...input, split: splitOf(view, live, liveRouter) };
  const serving = routesOf(liveRouter).to;
  const newcomers = routes.to.filter((name) => !serving.includes(name));
  const { fraction } = grounds.split;
  if (newcomers.length === 0 || digestOf(liveRouter) === digestOf(router))
    return fraction > 0 && !isPrepared ? withdrawnCanary(grounds) : NONE;
  const untilMs = heldUntilMs(view.pipeline, newcomers, nowEpochMs);
  if (untilMs !== undefined) return rollBack(grounds, newcomers, untilMs);
  const next = live.get(canaryName(view.pipeline.metadata.name));
  return fraction > 0 ? continueCanary(grounds, newcomers, { fraction, next }) : beginCanary(grounds, newcomers, next);
}

function beginCanary(
  grounds: CanaryGrounds,
  newcomers: readonly string[],
  next: ObservedDeployment | undefined,
): CanaryDecision {
  const { view, isPrepared } = grounds;
  if (!isPrepared || isUrgent(view.observed)) return NONE;
  if (view.sides !== undefined) return nextStep(grounds, newcomers, { fraction: 0, next, verdict: undefined });
  return mayStillReport(grounds) ? { kind: 'step', fraction: 0, newcomers, apply: [], ...WAITING } : NONE;
}

function continueCanary(grounds: CanaryGrounds, newcomers: readonly string[], present: ActiveCanary): CanaryDecision {
  const { fraction, next } = present;
  // The active canary is for another plan.
  if (next !== undefined && !sendsTo(next, grounds.routes.to)) return withdrawnCanary(grounds);
  if (isUnsplit(grounds, fraction)) return splitByRouter(grounds, newcomers, fraction);
  const verdict = judgeStep(grounds, newcomers, present);
  if (verdict?.kind === 'failed') return failedStep(grounds, newcomers, { fraction, why: verdict.why });
  if (grounds.isPrepared) return nextStep(grounds, newcomers, { ...present, verdict });
  if (verdict?.kind === 'open') return { kind: 'step', fraction, newcomers, apply: [], ...WAITING };
  return { kind: 'none', againAfterMs: LOOK_MS };
}

/** Requests that the canary router should have got, by which a mesh that does not share them is known. */
const TELLING_SHARE = 20;

/**
 * True if the mesh does not share the requests: the clients are outside of it, or no proxy applies routes (in ambient
 * mode, without a waypoint).
 */
function isUnsplit({ view: { sides }, split }: CanaryGrounds, fraction: number): boolean {
  if (split.means === 'router' || sides === undefined || !split.isInForce(fraction)) return false;
  return sides.after.ended === 0 && sides.before.ended * fraction >= TELLING_SHARE;
}

/** The canary continues with the means that needs no mesh. */
function splitByRouter(grounds: CanaryGrounds, newcomers: readonly string[], fraction: number): CanaryDecision {
  const apply = [...routerObjects(grounds, 'router'), ...grounds.split.give(0)];
  return { kind: 'step', fraction, newcomers, apply, againAfterMs: LOOK_MS };
}

function withdrawnCanary({ view, live, split }: CanaryGrounds): CanaryDecision {
  const { workloads = [], fraction = 0 } = activeCanary(view, live) ?? {};
  return { kind: 'step', fraction, newcomers: workloads, apply: split.give(0), ...inMesh(split) };
}

/** Routes of a mesh are not watched. */
const inMesh = ({ means }: CanarySplit) => (means === 'router' ? {} : { againAfterMs: UNWATCHED_MS });

const WAITING = { againAfterMs: LOOK_MS, awaitsVerdict: true };

interface ActiveCanary {
  readonly fraction: number;
  readonly next: ObservedDeployment | undefined;
}

/** A freshly started operator has no signals yet. */
function mayStillReport({ view: { staleMs }, liveRouter }: CanaryInput): boolean {
  return (staleMs ?? Number.POSITIVE_INFINITY) < FIRST_SIGNAL_MS && (liveRouter.status?.readyReplicas ?? 0) > 0;
}

/** Next step of a canary; `verdict` is missing while no share is in force. */
function nextStep(
  grounds: CanaryGrounds,
  newcomers: readonly string[],
  { fraction, next, verdict }: ActiveCanary & { readonly verdict: CanaryVerdict | undefined },
): CanaryDecision {
  const { router, split } = grounds;
  const waiting: Waiting = {
    againAfterMs: fraction > 0 ? LOOK_MS : inMesh(split).againAfterMs,
    awaitsVerdict: verdict?.kind === 'open',
    isQuiet: verdict?.kind === 'open' && verdict.missingOutcomes > 0,
  };
  const step = (apply: readonly KubeObject[], more: Waiting = {}): CanaryDecision => {
    return { kind: 'step', fraction, newcomers, apply, ...more };
  };
  const beside = routerObjects(grounds);
  if (next === undefined || digestOf(next) !== digestOf(router)) return step(beside, waiting);
  const state = rolloutState(next);
  if (state.kind === 'stuck') return failedStep(grounds, newcomers, { fraction, why: state.message });
  if (state.kind !== 'complete') return step(beside, waiting);
  if (fraction === 0)
    return step(split.isInForce(0) ? [...beside, ...split.give(nextFraction(0))] : beside, inMesh(split));
  if (verdict === undefined || verdict.kind === 'open') return step(beside, waiting);
  const larger = verdict.kind === 'urgent' ? 1 : nextFraction(fraction);
  return larger === 1 ? NONE : step([...beside, ...split.give(larger)], inMesh(split));
}

/** The canary router, and the way to it; a mesh needs no way from the serving router. */
function routerObjects({ view, live, wanted, routes }: CanaryInput, means?: CanaryMeans): readonly KubeObject[] {
  const { name } = view.pipeline.metadata;
  const chosen = means ?? meansOf(view, live.get(canaryName(name)));
  const objects = canaryObjects(name, wanted, { routes, annotations: { [MEANS]: chosen } });
  return chosen === 'router' ? [...objects, ...reachCanaryRouter(name, view.children)] : objects;
}

/** Verdict on a step; open for a while if signals are stale, undefined before the step is in force. */
function judgeStep(
  grounds: CanaryGrounds,
  newcomers: readonly string[],
  { fraction, next }: ActiveCanary,
): CanaryVerdict | undefined {
  const { view, router, liveRouter, slo, split } = grounds;
  const fails = (why: string): CanaryVerdict => ({ kind: 'failed', why });
  const lost = next !== undefined && digestOf(next) === digestOf(router) && lostReplicas(grounds, newcomers, next);
  if (lost) return fails(lost);
  const giving = rolloutState(liveRouter);
  if (giving.kind === 'stuck') return fails(`the router does not start with that share: ${giving.message}`);
  if (!split.isInForce(fraction)) return undefined;
  const { sides, staleMs = Number.POSITIVE_INFINITY } = view;
  if (sides === undefined) return staleMs >= STALE_MS ? fails('the signals of the routers are stale') : NO_SIGNAL;
  const { observedMs, ...counts } = sides;
  const verdict = judgeCanary({ ...counts, fraction, elapsedMs: observedMs }, slo);
  if (verdict.kind === 'failed' || (next?.status?.readyReplicas ?? 0) > 0) return verdict;
  // Meanwhile the serving router answers the requests itself.
  return observedMs >= STALE_MS ? fails('its router is not ready') : NO_SIGNAL;
}

export function activeCanary(
  view: ObservedPipeline,
  live: ReadonlyMap<string, ObservedDeployment>,
): { readonly workloads: readonly string[]; readonly fraction: number } | undefined {
  const router = [...live.values()].find((each) => isRouter(each) && routerOf(each) === 0);
  const fraction = router === undefined ? 0 : splitOf(view, live, router).fraction;
  if (fraction === 0) return undefined;
  const serving = routesOf(router).to;
  const next = live.get(canaryName(view.pipeline.metadata.name));
  return { workloads: routesOf(next).to.filter((name) => !serving.includes(name)), fraction };
}

export function withdrawCanary(
  view: ObservedPipeline,
  live: ReadonlyMap<string, ObservedDeployment>,
): readonly KubeObject[] {
  return [...live.values()].filter(isRouter).flatMap((router) => {
    const split = splitOf(view, live, router);
    return split.fraction > 0 ? split.give(0) : [];
  });
}

function lostReplicas(
  { stages, live, held }: CanaryInput,
  newcomers: readonly string[],
  next: ObservedDeployment,
): string | undefined {
  const served = routesOf(next).inForce;
  const losses = stages.flatMap((stage) => {
    const { name } = stage.metadata;
    const present = live.get(name);
    // Skips a growing stage: it was never ready at its new size.
    if (!newcomers.includes(name) || present === undefined || served.get(name) !== stage.spec.replicas) return [];
    const { replicas: asked = 1 } = present.spec;
    // Replicas removed by a foreign writer do not count as lost.
    const wanted = held.has(name) ? Math.min(asked, stage.spec.replicas) : stage.spec.replicas;
    const ready = present.status?.readyReplicas ?? 0;
    return isOfTemplate(present, stage) && ready < wanted ? [`${name} has ${ready} of ${wanted} replicas ready`] : [];
  });
  return losses[0];
}

function failedStep(
  { view }: CanaryInput,
  newcomers: readonly string[],
  { fraction, why }: { readonly fraction: number; readonly why: string },
): CanaryDecision {
  const percent = Math.round(100 * fraction);
  const at = percent === 0 ? 'before it got a request' : `at ${percent} % of the requests`;
  const message = `${newcomers.join(', ')} was rolled back ${at}: ${why}.`;
  const failure = { workloads: newcomers, fraction, message, generation: view.pipeline.metadata.generation ?? 0 };
  return { kind: 'step', fraction, newcomers, apply: [], failure };
}

function rollBack(
  { view, nowEpochMs, split }: CanaryGrounds,
  newcomers: readonly string[],
  untilMs: number,
): CanaryDecision {
  const keepsAll = split.fraction === 0;
  const isWhole = keepsAll && split.isInForce(0);
  const next = view.children.filter(isCanaryRouter);
  const isAlone = isWhole && next.length === 0 && !view.pods.some(isCanaryRouter);
  const brought = view.children.filter(({ metadata }) => newcomers.includes(metadata.name));
  return {
    kind: 'taken-back',
    apply: keepsAll ? [] : split.give(0),
    remove: [...(isWhole ? next.filter(mayBeRemoved(next)) : []), ...(isAlone ? brought : [])].flatMap(refsToRemove),
    againAfterMs: isAlone ? untilMs - nowEpochMs : (inMesh(split).againAfterMs ?? untilMs - nowEpochMs),
  };
}

/** Reference to an object that is not being deleted already. */
export function refsToRemove(child: KubeObject): readonly ObjectRef[] {
  const type = ownedTypes[child.kind];
  return type === undefined || child.metadata.deletionTimestamp !== undefined ? [] : [refTo(type, child)];
}

/**
 * How the traffic comes to a plan with workloads that have not served yet. Once they are ready a second router runs that plan beside the one
 * that serves, which gives it a share of the requests, in steps. Between two steps the routers' own counts of both sides decide
 * (core/control/shift-verdict): more of them, or all back, and then the plan is left alone for a while. Every step is another configuration of
 * the router that serves, so how far it is, is read from the cluster.
 *
 * Steps need somebody to judge them and take time: while no router is heard, and while what serves burns the error budget, the router is
 * switched at once.
 */
import { judgeShift, type ShiftVerdict, type Slo } from '@equipoise/core';
import { type KubeObject, type ObjectRef, refTo } from '../api/kube-object.js';
import type { Deployment } from '../render/manifest-types.js';
import { nextName, nextObjects, nextUrl, reachingNext } from './next-router.js';
import { childTypes, isNext, isRouter, type ObservedDeployment, type ObservedPod } from './observed-objects.js';
import type { ObservedPipeline } from './reconciliation.js';
import { digestOf, isOfTemplate } from './replica-groups.js';
import { holdsRollback, isUrgent, type ShiftFailure } from './rollback.js';
import { rolloutState } from './rollout-state.js';
import { shareOf, withShare } from './router-share.js';
import { type Routes, routesOf, sendsTo } from './routes.js';

/** Shares of the requests that a new plan gets before it gets all of them. */
const STEPS = [0.1, 0.5];
/** Counts of routers come once a second. */
const LOOK_MS = 1_000;
/** A step whose routers are not heard so long after it began is the last. */
const DEAF_MS = 60_000;

/** What a shift is decided from. */
export interface ShiftGrounds {
  readonly view: ObservedPipeline;
  readonly live: ReadonlyMap<string, ObservedDeployment>;
  readonly wanted: readonly KubeObject[];
  readonly stages: readonly Deployment[];
  readonly router: Deployment;
  readonly liveRouter: ObservedDeployment;
  readonly routes: Routes;
  /** Whether all stages of the plan are ready. */
  readonly isPrepared: boolean;
  readonly slo: Pick<Slo, 'percentile'>;
  readonly nowEpochMs: number;
}

/** What there is to do; with `none` the router is switched in one go, or not yet. */
export type Shift =
  | { readonly kind: 'none' }
  | {
      readonly kind: 'step';
      readonly fraction: number;
      readonly newcomers: readonly string[];
      readonly apply: readonly KubeObject[];
      readonly againAfterMs?: number;
      /** The new side failed: what is applied stays, and the failure has to be told before anything is taken back. */
      readonly failure?: ShiftFailure;
    }
  /** The plan failed lately: what serves stays, and what the plan brought goes, those first that nothing is sent to any more. */
  | {
      readonly kind: 'taken-back';
      readonly apply: readonly KubeObject[];
      readonly remove: readonly ObjectRef[];
      readonly againAfterMs: number;
    };

const NONE: Shift = { kind: 'none' };

/** The next step on the way to a plan. */
export function shiftOf(grounds: ShiftGrounds): Shift {
  const { view, live, router, liveRouter, routes, isPrepared, nowEpochMs } = grounds;
  const serving = routesOf(liveRouter).to;
  const newcomers = routes.to.filter((name) => !serving.includes(name));
  if (newcomers.length === 0 || digestOf(liveRouter) === digestOf(router)) return NONE;
  const untilMs = holdsRollback(view.pipeline, newcomers, nowEpochMs);
  if (untilMs !== undefined) return takenBack(grounds, newcomers, untilMs);
  const fraction = shareOf(liveRouter.spec.template);
  const next = live.get(nextName(view.pipeline.metadata.name));
  if (fraction > 0 && next !== undefined && digestOf(next) === digestOf(router)) {
    const why = lossOf(grounds, newcomers, next);
    if (why !== undefined) return failed(grounds, newcomers, { fraction, why });
  }
  if (!isPrepared) return NONE;
  if (fraction === 0 && (view.sides === undefined || isUrgent(view.observed))) return NONE;
  return stepOf(grounds, newcomers, { fraction, next });
}

interface Present {
  readonly fraction: number;
  readonly next: ObservedDeployment | undefined;
}

/** A step of a plan whose stages are all ready. */
function stepOf(grounds: ShiftGrounds, newcomers: readonly string[], { fraction, next }: Present): Shift {
  const { view, wanted, router, liveRouter, routes } = grounds;
  const name = view.pipeline.metadata.name;
  const step = (apply: readonly KubeObject[], more: { readonly againAfterMs?: number } = {}): Shift => ({
    ...{ kind: 'step', fraction, newcomers, apply, ...more },
  });
  // What gets a share now is of another plan with other workloads: this one begins anew.
  if (fraction > 0 && next !== undefined && !sendsTo(next, routes.to)) return step([withShare(liveRouter, undefined)]);
  const beside = [...nextObjects(name, wanted, routes), ...reachingNext(name, view.children)];
  if (next === undefined || digestOf(next) !== digestOf(router)) return step(beside);
  const state = rolloutState(next);
  if (state.kind === 'stuck') return failed(grounds, newcomers, { fraction, why: state.message });
  if (state.kind !== 'complete') return step(beside);
  const give = (share: number) => withShare(liveRouter, { url: nextUrl(name), fraction: share });
  const entry = view.pods.filter(isRouter);
  const giving = rolloutState(liveRouter);
  if (giving.kind === 'stuck' && fraction > 0)
    return failed(grounds, newcomers, {
      fraction,
      why: `the router does not start with that share: ${giving.message}`,
    });
  const isInForce = giving.kind === 'complete' && entry.every((pod) => shareOf(pod) === fraction);
  if (!isInForce) return step(beside);
  const [first = 1] = STEPS;
  if (fraction === 0) return step([...beside, give(first)]);
  const verdict = verdictOn(grounds, entry);
  if (verdict.kind === 'failed') return failed(grounds, newcomers, { fraction, why: verdict.why });
  if (verdict.kind === 'open') return step(beside, { againAfterMs: LOOK_MS });
  const larger = verdict.kind === 'urgent' ? undefined : STEPS.find((share) => share > fraction);
  return larger === undefined ? NONE : step([...beside, give(larger)]);
}

/** The verdict on a step that is in force; one whose routers are not heard stays open for a while. */
function verdictOn({ view: { sides }, slo, nowEpochMs }: ShiftGrounds, entry: readonly ObservedPod[]): ShiftVerdict {
  if (sides !== undefined) {
    const { observedMs, ...counts } = sides;
    return judgeShift({ ...counts, elapsedMs: observedMs }, slo);
  }
  const youngestMs = Math.max(...entry.map(({ metadata }) => Date.parse(metadata.creationTimestamp ?? '')));
  return nowEpochMs - youngestMs >= DEAF_MS ? { kind: 'failed', why: 'the routers are not heard' } : { kind: 'open' };
}

/** What of the new side was ready and is so no more; undefined where nothing is. */
function lossOf(
  { stages, live }: ShiftGrounds,
  newcomers: readonly string[],
  next: ObservedDeployment,
): string | undefined {
  const served = routesOf(next).inForce;
  const lost = stages.find((stage) => {
    const { name } = stage.metadata;
    const present = live.get(name);
    // A stage that is to grow was never ready as it is wanted now.
    if (!newcomers.includes(name) || present === undefined || served.get(name) !== stage.spec.replicas) return false;
    return isOfTemplate(present, stage) && (present.status?.readyReplicas ?? 0) < stage.spec.replicas;
  });
  if (lost === undefined) return undefined;
  const ready = live.get(lost.metadata.name)?.status?.readyReplicas ?? 0;
  return `${lost.metadata.name} has ${ready} of ${lost.spec.replicas} replicas ready`;
}

function failed(
  { view }: ShiftGrounds,
  newcomers: readonly string[],
  { fraction, why }: { readonly fraction: number; readonly why: string },
): Shift {
  const percent = Math.round(100 * fraction);
  const at = percent === 0 ? 'before it got a request' : `at ${percent} % of the requests`;
  const message = `${newcomers.join(', ')} was taken back ${at}: ${why}.`;
  const failure = { workloads: newcomers, fraction, message, generation: view.pipeline.metadata.generation ?? 0 };
  return { kind: 'step', fraction, newcomers, apply: [], failure };
}

function takenBack(
  { view, liveRouter, nowEpochMs }: ShiftGrounds,
  newcomers: readonly string[],
  untilMs: number,
): Shift {
  const entry = view.pods.filter(isRouter);
  const keepsAll = shareOf(liveRouter.spec.template) === 0;
  const isWhole = keepsAll && rolloutState(liveRouter).kind === 'complete' && entry.every((pod) => shareOf(pod) === 0);
  const next = view.children.filter(isNext);
  const isAlone = isWhole && next.length === 0 && !view.pods.some(isNext);
  const brought = view.children.filter(({ metadata }) => newcomers.includes(metadata.name));
  return {
    kind: 'taken-back',
    apply: keepsAll ? [] : [withShare(liveRouter, undefined)],
    remove: [...(isWhole ? next : []), ...(isAlone ? brought : [])].flatMap(going),
    againAfterMs: untilMs - nowEpochMs,
  };
}

function going(child: KubeObject): readonly ObjectRef[] {
  const type = childTypes[child.kind];
  return type === undefined || child.metadata.deletionTimestamp !== undefined ? [] : [refTo(type, child)];
}

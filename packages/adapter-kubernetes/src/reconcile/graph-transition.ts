/**
 * Steps of a change where an engine walks the graph. New workloads start next to those that serve. Then a second graph
 * gets a share of the requests in steps. At last the serving graph is changed, and unused objects are removed.
 */
import { type CanaryVerdict, coresDuringChange, judgeCanary, nextFraction } from '@equipoise/core/serve';
import { type KubeObject, type ObjectRef, refTo } from '../api/kube-object.js';
import { objectName } from '../cluster/object-names.js';
import { isStage, renderedTypes } from '../cluster/observed-objects.js';
import { engineObjectState } from '../render/engines/engine-state.js';
import { changedAtMs, coresOfReplica, replicasOf, withReplicas } from './engine-objects.js';
import {
  activeGraphCanary,
  graphShare,
  holds,
  isExperiment,
  isGraph,
  isInForce,
  isWorkload,
  nextGraph,
  sharingObject,
  specOf,
  workloadsOfGraph,
} from './graph-objects.js';
import type { ObservedPipeline, Phase, Planning } from './reconciliation.js';
import { heldUntilMs, isUrgent } from './rollback.js';
import { ownedObjects, type Work } from './transition.js';

const LOOK_MS = 1_000;
/** Stale series roll a canary back after this time. */
const STALE_MS = 120_000;
/** Time in which a new operator may still get its first samples. */
const FIRST_SIGNAL_MS = 60_000;
/** A failure that lasts this long after the creation of a workload ends its start. */
const FAILING_MS = 60_000;
/** Maximum time of a start. */
const STARTING_MS = 600_000;
/** A canary whose graph is not ready for this long is rolled back: the engine may fail its requests without a trace. */
const UNREADY_MS = 60_000;
/** Time for which previous workloads stay after a change, for requests that they still have. */
const WARM_MS = 60_000;

type PlannedGraph = Pick<Extract<Planning, { kind: 'planned' }>, 'objects' | 'bounds' | 'plan' | 'allowsCanary'>;

export function transitionGraph(
  view: ObservedPipeline,
  planned: PlannedGraph,
  { nowEpochMs }: { readonly nowEpochMs: number },
): Work {
  const change = changeOf(view, planned, nowEpochMs);
  if (change.newcomers.length === 0 || change.liveGraph === undefined) return settle(change);
  const untilMs = heldUntilMs(view.pipeline, change.newcomers, nowEpochMs);
  if (untilMs !== undefined) return takeBack(change, untilMs);
  if (isOfOtherPlan(change)) return withdraw(change);
  const why = startFailure(change);
  if (why !== undefined) return failedStep(change, why);
  if (!change.hasRoom) return makeRoom(change);
  if (!change.isPrepared) return pause('preparing', change.grown);
  return canaryStep(change, planned);
}

interface GraphChange {
  readonly view: ObservedPipeline;
  readonly pipeline: string;
  readonly wanted: readonly KubeObject[];
  readonly graph: Parameters<typeof nextGraph>[0];
  readonly liveGraph: Parameters<typeof nextGraph>[0] | undefined;
  /** Graph of a canary. */
  readonly liveNext: Parameters<typeof nextGraph>[0] | undefined;
  readonly live: ReadonlyMap<string, KubeObject>;
  readonly newcomers: readonly string[];
  readonly isPrepared: boolean;
  readonly hasRoom: boolean;
  /** Wanted objects without the graph; workloads that serve do not shrink. */
  readonly grown: readonly KubeObject[];
  readonly share: number;
  readonly slo: { readonly percentile: number };
  readonly nowEpochMs: number;
}

function changeOf(view: ObservedPipeline, { objects, bounds, plan }: PlannedGraph, nowEpochMs: number): GraphChange {
  const wanted = ownedObjects(objects, view.pipeline);
  const graph = wanted.find(isGraph) as GraphChange['graph'];
  const live = new Map(view.children.map((child) => [idOf(child), child]));
  const liveGraph = live.get(idOf(graph)) as GraphChange['liveGraph'];
  const pipeline = view.pipeline.metadata.name;
  const liveNext = live.get(`${graph.kind} ${objectName(pipeline, 'next')}`) as GraphChange['liveNext'];
  const serving = liveGraph === undefined ? [] : workloadsOfGraph(liveGraph);
  const workloads = wanted.filter(isWorkload);
  const grown = wanted.filter((object) => object !== graph).map((object) => inOrder(atLeastLive(object, live), live));
  return {
    view,
    pipeline,
    wanted,
    graph,
    liveGraph,
    liveNext,
    live,
    newcomers: workloadsOfGraph(graph).filter((name) => !serving.includes(name)),
    isPrepared: workloads.every((object) => isStanding(object, live)),
    hasRoom: isWithinBound(workloads, view.children, bounds),
    grown,
    share: graphShare(view.children),
    slo: plan.predicted,
    nowEpochMs,
  };
}

/** Old and new replicas hold at most the cores of the budget (or of the serving plan, if larger) plus the surge. */
function isWithinBound(
  wanted: readonly KubeObject[],
  children: readonly KubeObject[],
  bounds: PlannedGraph['bounds'],
): boolean {
  const present = children.filter(isWorkload);
  const inForce = present.map((object) => ({
    replicas: replicasOf(object),
    resources: { cpuCores: coresOfReplica(object) },
  }));
  const names = new Set(wanted.map(idOf));
  const cores = (objects: readonly KubeObject[]): number =>
    objects.reduce((sum, object) => sum + replicasOf(object) * coresOfReplica(object), 0);
  const together = cores(wanted) + cores(present.filter((object) => !names.has(idOf(object))));
  return together <= coresDuringChange(bounds, { inForce }) + 1e-9;
}

/** A workload that serves does not shrink before the graph is switched. */
function atLeastLive(object: KubeObject, live: ReadonlyMap<string, KubeObject>): KubeObject {
  const present = live.get(idOf(object));
  if (!isWorkload(object) || present === undefined) return object;
  return withReplicas(object, Math.max(replicasOf(object), replicasOf(present)));
}

/** Seldon Core 2 places at most one replica of a Model on each of its Server: Servers grow first, Models shrink first. */
function inOrder(object: KubeObject, live: ReadonlyMap<string, KubeObject>): KubeObject {
  const { name } = object.metadata;
  if (object.kind === 'Model') {
    const [server, model] = [live.get(`Server ${name}`), live.get(`Model ${name}`)];
    if (server === undefined || model === undefined || replicasOf(object) <= replicasOf(model)) return object;
    const isGrown = replicasOf(server) >= replicasOf(object) && engineObjectState(server)?.kind === 'ready';
    return isGrown ? object : withReplicas(object, replicasOf(model));
  }
  const model = object.kind === 'Server' ? live.get(`Model ${name}`) : undefined;
  const present = live.get(idOf(object));
  if (model === undefined || present === undefined || replicasOf(object) >= replicasOf(present)) return object;
  const isShrunk = replicasOf(model) <= replicasOf(object) && engineObjectState(model)?.kind === 'ready';
  return isShrunk ? object : withReplicas(object, replicasOf(present));
}

function isStanding(wanted: KubeObject, live: ReadonlyMap<string, KubeObject>): boolean {
  const present = live.get(idOf(wanted));
  if (present === undefined || replicasOf(present) < replicasOf(wanted)) return false;
  const sized = withReplicas(wanted, replicasOf(present));
  return holds(specOf(present), specOf(sized)) && engineObjectState(present)?.kind === 'ready';
}

const isServing =
  ({ newcomers }: Pick<GraphChange, 'newcomers'>) =>
  (object: KubeObject): boolean =>
    !newcomers.includes(object.metadata.name);

/** No workload is new: the wanted graph is in force, or is put into force; then leftovers go. */
function settle(change: GraphChange): Work {
  const { view, wanted, graph, liveGraph, live, isPrepared, nowEpochMs } = change;
  const { children, pods } = view;
  const isSwitched =
    liveGraph !== undefined && holds(liveGraph.spec, graph.spec) && isInForce(liveGraph, pods, nowEpochMs);
  const stages = isSwitched
    ? wanted.filter((object) => object !== graph).map((object) => inOrder(object, live))
    : change.grown;
  if (!isPrepared || !isSwitched) return pause(isPrepared ? 'switching' : 'preparing', [...stages, graph]);
  return { ...leave(change, children), phase: 'settled', apply: [...stages, graph], foreign: [] };
}

/** Removals once the wanted graph is in force: weights, then the canary's graph, then unused workloads. */
function leave(change: GraphChange, children: readonly KubeObject[]): Pick<Work, 'remove' | 'againAfterMs'> {
  const { wanted, graph } = change;
  const [experiment] = children.filter(isExperiment);
  if (experiment !== undefined) return { remove: refsTo(experiment), againAfterMs: LOOK_MS };
  const beside = children.filter((child) => isGraph(child) && child.metadata.name !== graph.metadata.name);
  if (beside.length > 0) return { remove: beside.flatMap(refsTo), againAfterMs: LOOK_MS };
  const names = new Set(wanted.map(idOf));
  const leftovers = children.filter((child) => !names.has(idOf(child)));
  const warmMs = warmLeftMs(change, leftovers);
  return warmMs === 0 ? { remove: leftovers.flatMap(refsTo) } : { remove: [], againAfterMs: warmMs };
}

/** Time until previous workloads may go: they keep the requests that they have. */
function warmLeftMs({ view, nowEpochMs }: GraphChange, leftovers: readonly KubeObject[]): number | undefined {
  if (leftovers.length === 0) return undefined;
  const ready = view.pipeline.status?.conditions?.find(({ type }) => type === 'Ready');
  if (ready?.status !== 'True') return WARM_MS;
  return Math.max(0, Date.parse(ready.lastTransitionTime) + WARM_MS - nowEpochMs);
}

const pause = (phase: Phase, apply: readonly KubeObject[]): Work => ({
  phase,
  apply,
  remove: [],
  foreign: [],
  againAfterMs: LOOK_MS,
});

/** True if a canary of another plan exists: its outcomes say nothing about this plan. */
function isOfOtherPlan({ graph, liveNext }: GraphChange): boolean {
  if (liveNext === undefined) return false;
  const [tried, wanted] = [liveNext, graph].map((each) => workloadsOfGraph(each).toSorted().join());
  return tried !== wanted;
}

/** The serving graph gets all requests back, then the graph of the other plan goes. So the canary of this plan begins. */
function withdraw(change: GraphChange): Work {
  const { view, liveGraph, liveNext, newcomers, share, nowEpochMs } = change;
  const canary = activeGraphCanary(view) ?? { workloads: newcomers, fraction: 0 };
  const work = { ...step(change, []), awaitsVerdict: false, canary };
  const [experiment] = view.children.filter(isExperiment);
  if (experiment !== undefined) return { ...work, remove: refsTo(experiment) };
  if (share > 0) return { ...work, apply: [give(change, 0)] };
  const isWhole = liveGraph !== undefined && isInForce(liveGraph, view.pods, nowEpochMs);
  return { ...work, remove: isWhole && liveNext !== undefined ? refsTo(liveNext) : [] };
}

/** Without room, workloads that no graph uses go, such as those of a withdrawn canary, once they have no requests. */
function makeRoom({ view, wanted, grown, ...change }: GraphChange): Work {
  const { children, pipeline } = view;
  const used = children.filter(isGraph).flatMap(workloadsOfGraph);
  const named = new Set([...wanted.map(({ metadata }) => metadata.name), ...used]);
  const unused = children.filter((child) => isStage(child) && !named.has(child.metadata.name));
  // The change has lasted since then.
  const since = pipeline.status?.conditions?.find(({ type }) => type === 'Ready')?.lastTransitionTime ?? '';
  const isIdle = change.nowEpochMs - Date.parse(since) >= WARM_MS;
  return {
    ...pause('no-room', grown.filter(isServing(change))),
    remove: isIdle ? unused.flatMap(refsTo) : [],
  };
}

function step(change: GraphChange, apply: readonly KubeObject[]): Work {
  const { newcomers, share } = change;
  const canary = { workloads: newcomers, fraction: share };
  return { phase: 'shifting', apply, remove: [], foreign: [], againAfterMs: LOOK_MS, awaitsVerdict: true, canary };
}

function canaryStep(change: GraphChange, { allowsCanary }: PlannedGraph): Work {
  const { view, graph, grown, share, pipeline, liveNext, nowEpochMs } = change;
  if (!allowsCanary || (share === 0 && isUrgent(view.observed))) return pause('switching', [...grown, graph]);
  const next = nextGraph(graph, pipeline);
  const isNextReady =
    liveNext !== undefined && holds(specOf(liveNext), next.spec) && isInForce(liveNext, view.pods, nowEpochMs);
  return share === 0 ? firstStep(change, next, isNextReady) : laterStep(change, next, isNextReady);
}

/** Without series the wanted graph gets all requests at once, as without a router that answers. */
function firstStep(change: GraphChange, next: KubeObject, isNextReady: boolean): Work {
  const { view, graph, grown } = change;
  const { sides, staleMs = Number.POSITIVE_INFINITY } = view;
  if (sides === undefined)
    return staleMs >= FIRST_SIGNAL_MS ? pause('switching', [...grown, graph]) : step(change, grown);
  return step(change, isNextReady ? [...grown, next, give(change, nextFraction(0))] : [...grown, next]);
}

function laterStep(change: GraphChange, next: KubeObject, isNextReady: boolean): Work {
  const { graph, grown, share } = change;
  const verdict = judgeStep(change);
  if (verdict?.kind === 'failed') return failedStep(change, verdict.why);
  if (hasLostGraph(change)) return failedStep(change, 'its graph is not ready');
  if (verdict === undefined || verdict.kind === 'open' || !isNextReady) {
    const isQuiet = verdict?.kind === 'open' && verdict.missingOutcomes > 0;
    return { ...step(change, [...grown, next]), isQuiet };
  }
  const larger = verdict.kind === 'urgent' ? 1 : nextFraction(share);
  if (larger === 1) return pause('switching', [...grown, graph]);
  return step(change, [...grown, next, give(change, larger)]);
}

function hasLostGraph({ view, liveNext, nowEpochMs }: GraphChange): boolean {
  const { observedMs = 0 } = view.sides ?? {};
  if (liveNext === undefined || isInForce(liveNext, view.pods, nowEpochMs)) return false;
  return observedMs >= UNREADY_MS && nowEpochMs - changedAtMs(liveNext) >= UNREADY_MS;
}

/** Gives the canary a fraction. The serving graph keeps its steps. */
function give({ graph, liveGraph = graph, pipeline }: GraphChange, fraction: number): KubeObject {
  const serving = { ...graph, spec: liveGraph.spec } as GraphChange['graph'];
  return sharingObject(serving, { pipeline, fraction });
}

/** Verdict on a step; undefined before its share is in force. */
function judgeStep({ view, liveGraph, share, slo, nowEpochMs }: GraphChange): CanaryVerdict | undefined {
  const { sides, staleMs = Number.POSITIVE_INFINITY, children, pods } = view;
  const sharing = children.find(isExperiment) ?? liveGraph;
  if (sharing === undefined || !isInForce(sharing, pods, nowEpochMs)) return undefined;
  if (sides === undefined)
    return staleMs >= STALE_MS ? { kind: 'failed', why: 'the series of the engine are stale' } : undefined;
  const { observedMs, ...counts } = sides;
  return judgeCanary({ ...counts, fraction: share, elapsedMs: observedMs }, slo);
}

/** Reason why a new workload does not start; undefined while it may. */
function startFailure({ live, newcomers, nowEpochMs, wanted }: GraphChange): string | undefined {
  for (const object of wanted.filter((each) => isWorkload(each) && newcomers.includes(each.metadata.name))) {
    const present = live.get(idOf(object));
    const state = present && engineObjectState(present);
    if (present === undefined || state === undefined || state.kind === 'ready') continue;
    const ageMs = nowEpochMs - Date.parse(present.metadata.creationTimestamp ?? '');
    const { kind, metadata } = object;
    if (state.kind === 'failed' && ageMs >= FAILING_MS) return `${kind} ${metadata.name}: ${state.message}`;
    if (ageMs >= STARTING_MS) return `${kind} ${metadata.name} did not start within ${STARTING_MS / 60_000} minutes`;
  }
  return undefined;
}

function failedStep(change: GraphChange, why: string): Work {
  const { view, newcomers, share } = change;
  const at = share === 0 ? 'before it got a request' : `at ${Math.round(100 * share)} % of the requests`;
  const message = `${newcomers.join(', ')} was rolled back ${at}: ${why}.`;
  const generation = view.pipeline.metadata.generation ?? 0;
  // The failure is recorded before anything is removed.
  return { ...step(change, []), failure: { workloads: newcomers, fraction: share, message, generation } };
}

/** The plan is in back-off: the serving graph keeps all requests, then the canary and its workloads go. */
function takeBack(change: GraphChange, untilMs: number): Work {
  const { view, liveGraph, liveNext, newcomers, share, nowEpochMs } = change;
  const { children, pods } = view;
  const experiment = children.find(isExperiment);
  const isWhole =
    share === 0 && experiment === undefined && liveGraph !== undefined && isInForce(liveGraph, pods, nowEpochMs);
  const brought = children.filter(({ metadata }) => newcomers.includes(metadata.name));
  const gone = experiment !== undefined ? [experiment] : !isWhole ? [] : liveNext !== undefined ? [liveNext] : brought;
  const whole = experiment === undefined && share > 0 ? [give(change, 0)] : [];
  return {
    phase: 'taken-back',
    apply: whole,
    remove: gone.flatMap(refsTo),
    foreign: [],
    againAfterMs: gone.length > 0 || whole.length > 0 || !isWhole ? LOOK_MS : untilMs - nowEpochMs,
  };
}

function refsTo(child: KubeObject): readonly ObjectRef[] {
  const type = renderedTypes[child.kind];
  return type === undefined || child.metadata.deletionTimestamp !== undefined ? [] : [refTo(type, child)];
}

const idOf = ({ kind, metadata }: KubeObject): string => `${kind} ${metadata.name}`;

/**
 * Steps of a change where one object of the engine has both graph and workloads: a SeldonDeployment. The engine starts new
 * workloads, waits for them, and then removes the old ones (seldondeployment_controller.go, completeServiceCreation). It
 * splits no requests without a mesh, so there is no canary. A variant that does not start is rolled back.
 */
import { invariant } from '@equipoise/core/model';
import { type KubeObject, type ObjectRef, refTo } from '../api/kube-object.js';
import { digestOf, LABEL_PREFIX } from '../cluster/object-names.js';
import { renderedTypes } from '../cluster/observed-objects.js';
import { engineObjectState } from '../render/engines/engine-state.js';
import type { SeldonGraphDeployment } from '../render/engines/seldon-graph.js';
import { changedAtMs } from './engine-objects.js';
import { isWholeGraph } from './graph-objects.js';
import type { ObservedPipeline, Planning } from './reconciliation.js';
import { heldUntilMs } from './rollback.js';
import { ownedObjects, type Work } from './transition.js';

/** Annotations of the object: digest of its spec, its workloads, and those that its last change brought. */
const DIGEST = `${LABEL_PREFIX}/graph-digest`;
const WORKLOADS = `${LABEL_PREFIX}/workloads`;
const BROUGHT = `${LABEL_PREFIX}/brought`;

const LOOK_MS = 1_000;
/** The status tells no generation, so for this time after a change it may be that of the form before. */
const SETTLING_MS = 10_000;
/** A failure that lasts this long after a change ends it. */
const FAILING_MS = 60_000;
/** Maximum time of a change. */
const STARTING_MS = 600_000;
/** Time for which objects of previous workloads stay, for requests that these still have. */
const WARM_MS = 60_000;

type PlannedGraph = Pick<Extract<Planning, { kind: 'planned' }>, 'objects'>;

export function transitionWhole(
  view: ObservedPipeline,
  { objects }: PlannedGraph,
  { nowEpochMs }: { readonly nowEpochMs: number },
): Work {
  const wanted = ownedObjects(objects, view.pipeline);
  const graph = wanted.find(isWholeGraph);
  invariant(graph !== undefined, 'a plan for Seldon Core 1 has its graph');
  const live = view.children.find(
    (child): child is SeldonGraphDeployment => isWholeGraph(child) && child.metadata.name === graph.metadata.name,
  );
  const change = changeOf(graph, live, workloadsOf(wanted));
  const { brought, isApplied } = change;
  const untilMs = heldUntilMs(view.pipeline, brought, nowEpochMs);
  if (untilMs !== undefined) return { ...NOTHING, phase: 'taken-back', againAfterMs: untilMs - nowEpochMs };
  const apply = wanted.map((object) => (object === graph ? change.form : object));
  if (live !== undefined && isApplied && isInForce(live, nowEpochMs))
    return { ...NOTHING, phase: 'settled', apply, ...leave(view, wanted, nowEpochMs) };
  const why = isApplied ? failureOf(view, live, nowEpochMs) : undefined;
  const phase = brought.length === 0 ? 'preparing' : 'switching';
  if (why === undefined || brought.length === 0) return { ...NOTHING, phase, apply, againAfterMs: LOOK_MS };
  const message = `${brought.join(', ')} was rolled back: ${why.replace(/\.$/, '')}.`;
  const generation = view.pipeline.metadata.generation ?? 0;
  return {
    ...NOTHING,
    phase,
    againAfterMs: LOOK_MS,
    failure: { workloads: brought, fraction: 0, message, generation },
  };
}

const NOTHING = { apply: [], remove: [], foreign: [] } as const;

interface WholeChange {
  /** The wanted object with its annotations. */
  readonly form: KubeObject;
  readonly isApplied: boolean;
  /** Workloads that are new with this change. */
  readonly brought: readonly string[];
}

function changeOf(
  graph: SeldonGraphDeployment,
  live: SeldonGraphDeployment | undefined,
  names: readonly string[],
): WholeChange {
  const digest = digestOf(JSON.stringify(graph.spec), 16);
  const annotations = live?.metadata.annotations ?? {};
  const isApplied = annotations[DIGEST] === digest;
  const present = listed(annotations[WORKLOADS]);
  const brought = isApplied
    ? listed(annotations[BROUGHT])
    : names.filter((name) => present.length > 0 && !present.includes(name));
  const own = { [DIGEST]: digest, [WORKLOADS]: names.join(' '), [BROUGHT]: brought.join(' ') };
  const form = { ...graph, metadata: { ...graph.metadata, annotations: { ...graph.metadata.annotations, ...own } } };
  return { form, isApplied, brought };
}

const listed = (names = ''): readonly string[] => names.split(' ').filter((name) => name !== '');

/** Each workload has a disruption budget of its name. */
const workloadsOf = (wanted: readonly KubeObject[]): readonly string[] =>
  wanted.filter(({ kind }) => kind === 'PodDisruptionBudget').map(({ metadata }) => metadata.name);

const isInForce = (live: SeldonGraphDeployment, nowEpochMs: number): boolean =>
  engineObjectState(live)?.kind === 'ready' && nowEpochMs - changedAtMs(live) >= SETTLING_MS;

/** Why the last change does not start; undefined while it may, and once it was ready. */
function failureOf(
  { pipeline }: ObservedPipeline,
  live: SeldonGraphDeployment | undefined,
  nowEpochMs: number,
): string | undefined {
  const state = live && engineObjectState(live);
  if (live === undefined || state === undefined || state.kind === 'ready') return undefined;
  const changedMs = changedAtMs(live);
  const ready = pipeline.status?.conditions?.find(({ type }) => type === 'Ready');
  const wasReady = ready?.status === 'True' || Date.parse(ready?.lastTransitionTime ?? '') > changedMs + SETTLING_MS;
  if (wasReady) return undefined;
  if (state.kind === 'failed' && nowEpochMs - changedMs >= FAILING_MS) return state.message ?? 'it has failed';
  return nowEpochMs - changedMs >= STARTING_MS ? `it is not ready after ${STARTING_MS / 60_000} minutes` : undefined;
}

/** Removal of objects that no workload needs any more. */
function leave(
  { pipeline, children }: ObservedPipeline,
  wanted: readonly KubeObject[],
  nowEpochMs: number,
): Pick<Work, 'remove' | 'againAfterMs'> {
  const names = new Set(wanted.map(idOf));
  const leftovers = children.filter((child) => !names.has(idOf(child)));
  if (leftovers.length === 0) return { remove: [] };
  const ready = pipeline.status?.conditions?.find(({ type }) => type === 'Ready');
  const warmMs =
    ready?.status === 'True' ? Math.max(0, Date.parse(ready.lastTransitionTime) + WARM_MS - nowEpochMs) : WARM_MS;
  return warmMs === 0 ? { remove: leftovers.flatMap(refsTo) } : { remove: [], againAfterMs: warmMs };
}

function refsTo(child: KubeObject): readonly ObjectRef[] {
  const type = renderedTypes[child.kind];
  return type === undefined || child.metadata.deletionTimestamp !== undefined ? [] : [refTo(type, child)];
}

const idOf = ({ kind, metadata }: KubeObject): string => `${kind} ${metadata.name}`;

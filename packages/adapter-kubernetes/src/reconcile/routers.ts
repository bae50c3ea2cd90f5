/**
 * Change of a pipeline with several routers. Each router has own objects and pods, so its change is that of a pipeline
 * with one router. Routers take turns: new workloads are tried at the first router, with a canary, and come to the next
 * router when the previous one has settled. If the number of routers changes, new routers are ready before the present
 * ones give replicas up, and surplus routers leave when the others have settled.
 */
import type { KubeObject, ObjectRef } from '../api/kube-object.js';
import { allRouters, routerName } from '../cluster/object-names.js';
import { isRouter, isStage, meshTypes, type ObservedDeployment, routerOf } from '../cluster/observed-objects.js';
import { ROUTERS } from '../render/router.js';
import { refsToRemove } from './canary.js';
import { mayBeRemoved, UNWATCHED_MS } from './canary-means.js';
import type { ObservedPipeline, Planning } from './reconciliation.js';
import { routesOf } from './routes.js';
import { IDLE, transition, type Work } from './transition.js';

type Planned = Extract<Planning, { kind: 'planned' }>;
type Live = ReadonlyMap<string, ObservedDeployment>;

/** One router: its part of the cluster and of the plan, and the work that its change needs. */
interface RouterChange {
  readonly router: number;
  readonly live: Live;
  readonly wanted: readonly KubeObject[];
  readonly work: Work;
}

export function routersWork(
  view: ObservedPipeline,
  live: Live,
  planned: Planned,
  at: { readonly nowEpochMs: number },
): Work {
  const { routers: count = 1 } = planned.plan;
  const surplus = surplusRouters(view, count);
  if (count === 1 && surplus.length === 0) return transition(view, live, planned, at);
  if (view.children.some(isOfMesh)) return withoutMesh(view);
  const changes = sharesOf(planned.objects, count).map((wanted, router): RouterChange => {
    const ownLive = new Map([...live].filter(([, deployment]) => routerOf(deployment) === router));
    const allowsCanary = router === 0 && planned.allowsCanary;
    const work = transition(viewOf(view, router), ownLive, { ...planned, objects: wanted, allowsCanary }, at);
    return { router, live: ownLive, wanted, work };
  });
  const work = merged(changes.map((change) => (hasTurn(change, changes) ? change.work : waiting(change.work))));
  return surplus.length === 0 ? work : withoutSurplus(work, view, surplus);
}

function surplusRouters({ children, pods }: ObservedPipeline, count: number): readonly number[] {
  return [...new Set([...children, ...pods].map(routerOf))].filter((router) => router >= count);
}

/** The part of a router. Without a mesh, whose routes would share the requests of all routers. */
const viewOf = (view: ObservedPipeline, router: number): ObservedPipeline => ({
  ...view,
  mesh: undefined,
  children: view.children.filter((child) => routerOf(child) === router),
  pods: view.pods.filter((pod) => routerOf(pod) === router),
});

const isOfMesh = ({ kind }: KubeObject): boolean => meshTypes[kind] !== undefined;

/** A route of an earlier canary goes before another router comes: it leads to the first router alone. */
function withoutMesh({ children }: ObservedPipeline): Work {
  const remove = children.filter(isOfMesh).filter(mayBeRemoved(children)).flatMap(refsToRemove);
  return { ...IDLE, phase: 'preparing', remove, againAfterMs: UNWATCHED_MS };
}

const known = new WeakMap<readonly KubeObject[], readonly (readonly KubeObject[])[]>();

/** Objects by router. Cached to keep the identity of the lists. */
function sharesOf(objects: readonly KubeObject[], count: number): readonly (readonly KubeObject[])[] {
  const before = known.get(objects);
  if (before !== undefined) return before;
  const shares = Array.from({ length: count }, (_, router) => objects.filter((object) => routerOf(object) === router));
  known.set(objects, shares);
  return shares;
}

/** False if the change of this router waits for others. A router that does not exist yet never waits. */
function hasTurn(change: RouterChange, all: readonly RouterChange[]): boolean {
  const present = routerIn(change.live);
  if (present === undefined) return true;
  const count = String(all.length);
  const joins = ({ live }: RouterChange): boolean => {
    const router = routerIn(live);
    return router === undefined || countOf(router) === count;
  };
  const waitsForNew = countOf(present) !== count && all.some((other) => joins(other) && isOpen(other));
  if (waitsForNew) return false;
  return !bringsWorkloads(change, present) || !all.slice(0, change.router).some(isChanging);
}

/** A router that only grows holds up no other one: its missing pods may not fit. */
const isChanging = (change: RouterChange): boolean => isOpen(change) && change.work.isGrowing !== true;

const isOpen = ({ work }: RouterChange): boolean => work.phase !== 'settled';

const routerIn = (live: Live): ObservedDeployment | undefined => [...live.values()].find(isRouter);

/** Number of routers of the plan that a router was rendered for. */
const countOf = ({ metadata }: ObservedDeployment): string => metadata.annotations?.[ROUTERS] ?? '1';

function bringsWorkloads({ wanted }: RouterChange, present: ObservedDeployment): boolean {
  const { to } = routesOf(present);
  return wanted.some((object) => object.kind === 'Deployment' && isStage(object) && !to.includes(object.metadata.name));
}

/** A waiting router keeps what it has. */
const waiting = ({ foreign }: Work): Work => ({ ...IDLE, phase: 'preparing', foreign });

/** The work of all routers. The phase is that of the first that has not settled. */
function merged(works: readonly Work[]): Work {
  const [first = IDLE] = works;
  const delays = works.flatMap(({ againAfterMs }) => (againAfterMs === undefined ? [] : [againAfterMs]));
  return {
    ...first,
    phase: works.find(({ phase }) => phase !== 'settled')?.phase ?? 'settled',
    apply: works.flatMap(({ apply }) => apply),
    remove: works.flatMap(({ remove }) => remove),
    foreign: works.flatMap(({ foreign }) => foreign),
    againAfterMs: delays.length === 0 ? undefined : Math.min(...delays),
  };
}

/** When the other routers have settled, the surplus ones leave one by one. They stay behind the Service until then. */
function withoutSurplus(work: Work, view: ObservedPipeline, surplus: readonly number[]): Work {
  const leaves = work.phase === 'settled' ? leavingRouter(viewOf(view, Math.max(...surplus))) : [];
  const entry = routerName(view.pipeline.metadata.name);
  return {
    ...work,
    phase: work.phase === 'settled' ? 'switching' : work.phase,
    apply: work.apply.map((object) => (object.metadata.name === entry ? withAllRouters(view, object) : object)),
    remove: [...work.remove, ...leaves],
  };
}

/** First the router leaves and drains, then the pods that only it uses. */
function leavingRouter({ children, pods }: ObservedPipeline): readonly ObjectRef[] {
  const isServing = children.some(isRouterDeployment) || pods.some(isRouter);
  return children.flatMap((child) => (isServing && !isRouterDeployment(child) ? [] : refsToRemove(child)));
}

const isRouterDeployment = (object: KubeObject): boolean => object.kind === 'Deployment' && isRouter(object);

/** Service and disruption budget of all routers. */
function withAllRouters({ pipeline }: ObservedPipeline, object: KubeObject): KubeObject {
  const selector = allRouters(pipeline.metadata.name);
  const { spec } = object as unknown as { readonly spec: object };
  if (object.kind === 'Service') return { ...object, spec: { ...spec, selector } } as KubeObject;
  if (object.kind !== 'PodDisruptionBudget') return object;
  return { ...object, spec: { ...spec, selector: { matchLabels: selector } } } as KubeObject;
}

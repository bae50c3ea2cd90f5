/** Pipeline on a cluster in memory with a canary; the test scripts the router signals. */

import type { SideCount } from '@equipoise/core/model';
import { SeededRng } from '@equipoise/core/model';
import { ManualClock } from '@equipoise/testkit';
import { written } from '../../api/conformance/subject.test-support.js';
import type { KubeObject, ResourceType } from '../../api/kube-object.js';
import { MemoryKube, STARTED_EPOCH_MS } from '../../api/memory/memory-kube.test-support.js';
import { MemoryKubeApi } from '../../api/memory/memory-kube-api.test-support.js';
import {
  type childTypes,
  deployments,
  engineTypes,
  isRouter,
  meshTypes,
  type ObservedPod,
  pipelines,
  pods,
} from '../../cluster/observed-objects.js';
import { Operator } from '../../deploy/operator.js';
import { EngineControllers } from './engine-controllers.test-support.js';
import { clusterResources, MemoryCluster } from './memory-cluster.test-support.js';
import { images, planWith, servedShelf, shelf, ToldPlans } from './pipeline-fixture.test-support.js';

export const KEY = 'n/shelf';
export const [SMALL, LARGE, NEXT, ROUTER] = ['shelf--detect--small', 'shelf--detect--large', 'shelf--next', 'shelf'];
export const namespace = 'n';
/** Ended requests, and those of them that missed the SLO. */
export const side = (missed: number, ended: number): SideCount => ({ ended, missed });
/** Both sides are good, and the step is long enough. */
export const well = { before: side(0, 500), after: side(0, 500), passedOn: 500, observedMs: 20_000 };
/** A step that has just started. */
export const begun = { ...well, observedMs: 1_000 };
/** Routers with current signals. */
export const heard = { observed: { arrivalRps: 50, percentile: 99, sloAttainmentFraction: 1 } };

export interface RigOptions {
  readonly idempotent?: boolean;
  readonly canary?: boolean;
  /** Kinds of a mesh that the cluster serves; with any, the pods are in the mesh. */
  readonly mesh?: readonly string[];
  readonly annotations?: Readonly<Record<string, string>>;
  /** Engine that runs the stages; its controllers are doubles. */
  readonly engine?: StageEngineName;
}

export type StageEngineName = 'kserve' | 'seldon-v1' | 'seldon-v2';

/** Operator on a cluster in memory; its pipeline runs `small`, with router signals. */
export async function start(options: RigOptions = {}) {
  const { idempotent = true, canary = true, mesh = [], annotations = {}, engine } = options;
  const clock = new ManualClock();
  const kube = new MemoryKube(clock, [
    ...clusterResources,
    ...mesh.map((kind) => ({ type: meshTypes[kind] as ResourceType })),
    ...(engine === undefined ? [] : engineTypes.map((type) => ({ type, hasStatus: true }))),
  ]);
  const engines = new EngineControllers(new MemoryKubeApi(kube), clock);
  const cluster = new MemoryCluster(kube, clock);
  if (mesh.length > 0) cluster.podAnnotations = { 'ambient.istio.io/redirection': 'enabled' };
  const [admin, api] = [new MemoryKubeApi(kube), new MemoryKubeApi(kube)];
  const source = new ToldPlans(planWith('small', 2));
  const failures: string[] = [];
  const { metadata, spec, ...rest } = engine === 'seldon-v2' ? servedShelf() : shelf();
  const { name } = metadata;
  const { stages, control, ...others } = spec as { stages: readonly object[]; control?: object };
  const target = engine === undefined ? {} : { 'equipoise.dev/target': engine };
  const object = {
    ...rest,
    metadata: { name, namespace, annotations: { ...target, ...annotations } },
    spec: { ...others, control: { ...control, canary }, stages: stages.map((stage) => ({ ...stage, idempotent })) },
  };
  written(await admin.create(pipelines, object, { fieldManager: 'kubectl' }));
  const abort = new AbortController();
  const operator = (port: MemoryKubeApi, seed: number) =>
    new Operator({
      ...{ api: port, clock, rng: new SeededRng(seed), nowEpochMs: () => STARTED_EPOCH_MS + clock.nowMs(), source },
      imagesOf: () => images,
      onFailure: (what, error) => failures.push(`${what}: ${String(error)}`),
    });
  const running = operator(api, 1).run(abort.signal);
  if (engine !== undefined) playEverySecond(engines, clock, abort.signal);
  const find = (deployment: string) => admin.get({ type: deployments, namespace, name: deployment });
  const all = async <T extends KubeObject>(type: (typeof childTypes)[string]) => {
    const page = await admin.list({ type });
    return (page.kind === 'page' ? page.objects : []) as readonly T[];
  };
  const rig = {
    ...{ clock, kube, cluster, engines, admin, api, source, failures, find, all, operator },
    ready: async (deployment: string) => (await find(deployment))?.status?.readyReplicas ?? 0,
    status: async () => (await admin.get({ type: pipelines, namespace, name }))?.status,
    condition: async (type: string) =>
      (await admin.get({ type: pipelines, namespace, name }))?.status?.conditions?.find((each) => each.type === type),
    /** Pods of the router that serves. */
    entry: async () => (await all<ObservedPod>(pods)).filter(isRouter),
    pass: (durationMs: number) => clock.advanceTo(clock.nowMs() + durationMs),
    /** Advances time until a condition holds. */
    until: async (holds: () => Promise<boolean>, longestMs = 120_000) => {
      const endsAtMs = clock.nowMs() + longestMs;
      while (!(await holds())) {
        if (clock.nowMs() >= endsAtMs)
          throw new Error(`it does not come: ${failures.slice(0, 3).join()} ${JSON.stringify(await rig.status())}`);
        await clock.advanceTo(Math.min(endsAtMs, clock.nextAlarmAtMs));
      }
    },
    stop: async () => {
      abort.abort();
      await running;
    },
  };
  await rig.pass(engine === undefined ? 3_000 : 20_000);
  cluster.readyAfterMs = () => 500;
  cluster.stopMs = 700;
  source.situation = () => ({ ...heard, sides: well });
  return rig;
}

function playEverySecond(engines: EngineControllers, clock: ManualClock, signal: AbortSignal): void {
  const play = (): void => {
    if (signal.aborted) return;
    void engines.play();
    clock.ringAt(clock.nowMs() + 1_000, play);
  };
  play();
}

/** Canary fraction in the status. */
export const fraction = (rig: Awaited<ReturnType<typeof start>>) => async () => (await rig.status())?.shift?.fraction;

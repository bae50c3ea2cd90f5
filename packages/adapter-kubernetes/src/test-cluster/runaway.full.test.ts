/**
 * Pods that never become ready, on a real control plane: replicas stay within budget and surge, the status names the
 * cause, the next plan is adopted.
 */
import { type Plan, SeededRng } from '@equipoise/core/model';
import { describeWithTool } from '@equipoise/testkit';
import { expect, it } from 'vitest';
import { written } from '../api/conformance/subject.test-support.js';
import type { KubeApi } from '../api/kube-api.js';
import type { KubeObject, ResourceType } from '../api/kube-object.js';
import { childTypes, deployments, isReady, isStage, pipelines, pods } from '../cluster/observed-objects.js';
import { Operator } from '../deploy/operator.js';
import { fileDigest, filesOf } from '../render/config-files.js';
import type { ConfigMap } from '../render/manifest-types.js';
import { CONFIG_DIGEST } from '../render/pod-template.js';
import { eventually, namespaceOfOperator } from './cluster-objects.test-support.js';
import { ClusterSuite, human, operatorUser } from './cluster-suite.test-support.js';
import type { PodFate, PodObject } from './fake-kubelet.test-support.js';
import { controlPlane } from './kube-binaries.test-support.js';
import { images, planWith, shelf, ToldPlans } from './memory/pipeline-fixture.test-support.js';
import { realClock } from './real-clock.test-support.js';

const [SMALL, LARGE, ROUTER] = ['shelf--detect--small', 'shelf--detect--large', 'shelf'];
const NODE = 'fake-1';
const configMaps = childTypes['ConfigMap'] as ResourceType<ConfigMap>;
const nodes: ResourceType<KubeObject & { readonly spec: { readonly unschedulable: boolean } }> = {
  ...{ group: '', version: 'v1', kind: 'Node', plural: 'nodes', namespaced: false },
};

/**
 * Each replica has one core. Two small replicas and one replica of the other stage run; three large replicas are
 * wanted.
 */
const BUDGET = 4;
const BOUND = BUDGET + 1;
const LOOK_EVERY_MS = 50;
/** Time to observe a variant that never becomes ready. */
const FAILING_MS = 5_000;
const up: PodFate = { kind: 'ready', afterMs: 0 };

describeWithTool(controlPlane, 'a variant that never comes up, on a real control plane', () => {
  const suite = new ClusterSuite();

  const cordon = async (unschedulable: boolean): Promise<void> => {
    const node = { apiVersion: 'v1', kind: 'Node', metadata: { name: NODE }, spec: { unschedulable } };
    written(await suite.admin.apply(nodes, node, { ...human, force: true }));
  };
  const large = (fate: PodFate) => async (): Promise<void> => {
    suite.kubelet.fateOf = ({ metadata }: PodObject) => (metadata.name.startsWith(LARGE) ? fate : up);
  };
  const recover = async (): Promise<void> => {
    suite.kubelet.fateOf = () => up;
    await cordon(false);
  };

  /** An operator whose pipeline runs two small replicas. */
  async function started() {
    const namespace = await namespaceOfOperator(suite.admin);
    const source = new ToldPlans(planWith('small', 2));
    const abort = new AbortController();
    const running = new Operator({
      ...{ api: await suite.plane.api(operatorUser), clock: realClock, rng: new SeededRng(5), source, namespace },
      nowEpochMs: () => Date.now(),
      imagesOf: () => images,
      onFailure: () => {},
    }).run(abort.signal);
    const { metadata, ...rest } = shelf({ namespace, budgetCpuCores: BUDGET });
    const { name } = metadata;
    written(await suite.admin.create(pipelines, { ...rest, metadata: { name, namespace } }, human));
    const condition = async (wanted: string) =>
      (await suite.admin.get({ type: pipelines, namespace, name }))?.status?.conditions?.find(
        (each) => each.type === wanted,
      );
    const decide = (plan: Plan): void => source.decide(`${namespace}/shelf`, plan);
    const stop = async (): Promise<void> => {
      abort.abort();
      await running;
    };
    await eventually(async () => (await condition('Ready'))?.status === 'True');
    return { namespace, condition, decide, stop };
  }

  it.each([
    ['is never ready', large({ kind: 'never-ready' }), 'Ready', 'ReplicasStarting'],
    ['crash-loops', large({ kind: 'crash-loop' }), 'Degraded', 'CrashLoop'],
    ['has no image', large({ kind: 'image-missing' }), 'Degraded', 'ImageUnavailable'],
    ['finds no node', () => cordon(true), 'Degraded', 'Unschedulable'],
  ])(
    'that %s costs no more than the room, is told, and does not stop the next plan',
    async (_, spoil, type, reason) => {
      const { namespace, condition, decide, stop } = await started();
      const readyOf = async (deployment: string) =>
        (await suite.admin.get({ type: deployments, namespace, name: deployment }))?.status?.readyReplicas ?? 0;

      await spoil();
      const watched = watch(suite.admin, namespace);
      decide(planWith('large', 3));
      await eventually(async () => (await condition(type))?.reason === reason);
      await new Promise((resolve) => setTimeout(resolve, FAILING_MS));
      expect(await readyOf(ROUTER)).toBe(1);
      decide(planWith('large', 2, 2));
      await new Promise((resolve) => setTimeout(resolve, FAILING_MS / 5));
      await recover();
      decide(planWith('small', 3));
      await eventually(async () => (await readyOf(SMALL)) === 3);
      await eventually(async () => (await condition('Ready'))?.status === 'True');
      expect(await condition('Degraded')).toMatchObject({ status: 'False' });
      const { most, fewestReady } = await watched.end();
      expect(most).toBeLessThanOrEqual(BOUND);
      expect(fewestReady).toBeGreaterThanOrEqual(2);
      await stop();
    },
  );

  it('leaves pods of the old template their file, also those that start again', async () => {
    const { namespace, decide, stop } = await started();
    const own = async (digest?: string) => {
      const page = await suite.admin.list({ type: pods, namespace });
      const small = page.kind === 'page' ? page.objects.filter(({ metadata }) => metadata.name.startsWith(SMALL)) : [];
      return digest === undefined
        ? small
        : small.filter(({ metadata }) => metadata.annotations?.[CONFIG_DIGEST] === digest);
    };
    const before = await own();
    const digest = before[0]?.metadata.annotations?.[CONFIG_DIGEST] ?? '';
    suite.kubelet.fateOf = () => ({ kind: 'never-ready' });
    decide(planWith('small', 2, 4));
    await eventually(async () => (await own()).length > (await own(digest)).length);
    await suite.admin.delete({ type: pods, namespace, name: before[0]?.metadata.name ?? '' });
    const known = new Set(before.map(({ metadata }) => metadata.uid));
    await eventually(async () => (await own(digest)).some(({ metadata }) => !known.has(metadata.uid)));
    const config = await suite.admin.get({ type: configMaps, namespace, name: SMALL });
    const files = filesOf(config ?? {});
    expect(fileDigest(files.get(digest) ?? '')).toBe(digest);
    expect(files.size).toBe(2);
    await recover();
    await stop();
  });
});

/** Maximum of stage pods, terminating ones included, and minimum of ready pods of `detect`. */
function watch(api: KubeApi, namespace: string) {
  const seen = { most: 0, fewestReady: Number.POSITIVE_INFINITY };
  let isOver = false;
  const watching = (async () => {
    while (!isOver) {
      const page = await api.list({ type: pods, namespace });
      const there = page.kind === 'page' ? page.objects.filter(isStage) : [];
      seen.most = Math.max(seen.most, there.length);
      const ready = there.filter((pod) => isReady(pod) && pod.metadata.name.includes('detect'));
      seen.fewestReady = Math.min(seen.fewestReady, ready.length);
      await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
    }
  })();
  return {
    async end(): Promise<typeof seen> {
      isOver = true;
      await watching;
      return seen;
    },
  };
}

/**
 * A rendered pipeline on a real control plane whose node has no containers: applied, compared, changed and cleaned up.
 */
import type { Plan } from '@equipoise/core/model';
import { describeWithTool } from '@equipoise/testkit';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { KubeApi } from '../api/kube-api.js';
import type { ResourceType } from '../api/kube-object.js';
import { childTypes, pods } from '../cluster/observed-objects.js';
import { filesOf } from '../render/config-files.js';
import type { ConfigMap } from '../render/manifest-types.js';
import { CONFIG_DIGEST, fileKeyOf } from '../render/pod-template.js';
import { renderPlan } from '../render/render-plan.js';
import { EVERY_KIND, planFor, requestFor, specOf } from '../render/render-request.test-support.js';
import { eventually, newNamespace } from '../test-cluster/cluster-objects.test-support.js';
import { ControlPlane } from '../test-cluster/control-plane.test-support.js';
import { FakeKubelet } from '../test-cluster/fake-kubelet.test-support.js';
import { controlPlane, kubeBinariesFolder } from '../test-cluster/kube-binaries.test-support.js';
import { applyObjects, deployedObjects, deployedPods, deploymentDiff, removeObjects } from './deployed-pipeline.js';
import { workloadStates } from './deployment-state.js';

const spec = specOf(EVERY_KIND);
const DETECT = 'shelf--detect--small';

describeWithTool(controlPlane, 'a rendered pipeline on a real control plane', () => {
  let plane: ControlPlane;
  let api: KubeApi;
  let kubelet: FakeKubelet;

  beforeAll(async () => {
    plane = await ControlPlane.start(kubeBinariesFolder());
    api = await plane.api();
    kubelet = new FakeKubelet(api);
    await kubelet.start();
  }, 300_000);

  afterAll(async () => {
    await kubelet?.stop();
    await plane?.stop();
  }, 60_000);

  const rendered = (namespace: string, embed: string) =>
    renderPlan(requestFor('deployment', { spec, plan: planFor(spec, { embed }), namespace }));

  it('is as wanted once it is applied, whatever the server adds', async () => {
    const namespace = await newNamespace(api);
    const objects = rendered(namespace, 'cpu');
    await applyObjects(api, objects, { pipeline: 'shelf', force: false });
    const diff = deploymentDiff(objects, await deployedObjects(api, 'shelf', namespace));
    expect(diff).toMatchObject({ missing: [], changed: [], leftOver: [] });
    expect(diff.same).toHaveLength(objects.length);
    await applyObjects(api, objects, { pipeline: 'shelf', force: false });
  });

  it('is as wanted with several routers, too', async () => {
    const namespace = await newNamespace(api);
    const plan = planFor(spec, { embed: 'cpu' });
    const objects = renderPlan(requestFor('deployment', { spec, plan, namespace, routers: 2 }));
    await applyObjects(api, objects, { pipeline: 'shelf', force: false });
    const diff = deploymentDiff(objects, await deployedObjects(api, 'shelf', namespace));
    expect(diff).toMatchObject({ missing: [], changed: [], leftOver: [] });
    // Selectors of the Service and of the disruption budget may change with the number of routers.
    const alone = renderPlan(requestFor('deployment', { spec, plan, namespace }));
    await applyObjects(api, alone, { pipeline: 'shelf', force: false });
    const { changed, leftOver } = deploymentDiff(alone, await deployedObjects(api, 'shelf', namespace));
    expect(changed).toEqual([]);
    expect(leftOver.filter((object) => !object.name.includes('router-1'))).toEqual([]);
  });

  it('runs, becomes another one beside what runs, and leaves nothing of the old one', async () => {
    const namespace = await newNamespace(api);
    const live = () => deployedObjects(api, 'shelf', namespace);
    const running = async () => workloadStates(await live()).filter(({ complete }) => complete);
    await applyObjects(api, rendered(namespace, 'cpu'), { pipeline: 'shelf', force: false });
    await eventually(async () => (await running()).length === 4);

    const fewer = rendered(namespace, 'cpu').filter(({ metadata }) => !metadata.name.includes('embed'));
    const { leftOver } = deploymentDiff(fewer, await live());
    expect(leftOver.map(({ kind }) => kind).toSorted()).toEqual([
      'ConfigMap',
      'Deployment',
      'NetworkPolicy',
      'PodDisruptionBudget',
      'Service',
    ]);
    await removeObjects(api, leftOver, namespace);
    await eventually(async () => deploymentDiff(fewer, await live()).leftOver.length === 0);
    expect((await running()).map(({ name }) => name)).toEqual([
      'shelf--classify--forest',
      'shelf--detect--small',
      'shelf',
    ]);
  });

  it('keeps the file of a pod that a stuck rollout starts again', async () => {
    const namespace = await newNamespace(api);
    const plan = planFor(spec, { embed: 'cpu' });
    const rolledOut = async (stages: Plan['stages']) => {
      const objects = renderPlan(requestFor('deployment', { spec, plan: { stages }, namespace }));
      await applyObjects(api, objects, { pipeline: 'shelf', force: false });
    };
    const podsOfDetect = async () =>
      (await deployedPods(api, 'shelf', namespace)).filter(({ metadata }) => metadata.name.startsWith(DETECT));
    await rolledOut(plan.stages);
    const states = async () => workloadStates(await deployedObjects(api, 'shelf', namespace));
    await eventually(async () => (await states()).every(({ complete }) => complete));
    const [first] = await podsOfDetect();
    const digest = first?.metadata.annotations?.[CONFIG_DIGEST] ?? '';

    kubelet.fateOf = () => ({ kind: 'never-ready' });
    const larger = Object.entries(plan.stages).map(([id, chosen]) => [
      id,
      chosen.map(({ resources, ...each }) => ({ ...each, resources: { ...resources, cpuCores: 1 } })),
    ]);
    await rolledOut(Object.fromEntries(larger) as Plan['stages']);
    await eventually(async () => (await podsOfDetect()).length === 2);
    await api.delete({ type: pods, namespace, name: first?.metadata.name ?? '' });
    const again = async () =>
      (await podsOfDetect()).find(
        ({ metadata }) => metadata.annotations?.[CONFIG_DIGEST] === digest && metadata.uid !== first?.metadata.uid,
      );
    await eventually(async () => (await again()) !== undefined);
    kubelet.fateOf = () => ({ kind: 'ready', afterMs: 0 });

    const items = [{ key: fileKeyOf(digest), path: 'pipeline.yaml' }];
    expect(await again()).toMatchObject({
      spec: {
        volumes: expect.arrayContaining([expect.objectContaining({ configMap: expect.objectContaining({ items }) })]),
      },
    });
    const config = await api.get({ type: childTypes['ConfigMap'] as ResourceType<ConfigMap>, namespace, name: DETECT });
    expect([...filesOf(config ?? {}).keys()]).toContain(digest);
  });
});

import { AppError } from '@equipoise/core/model';
import { ManualClock } from '@equipoise/testkit';
import { describe, expect, it } from 'vitest';
import type { KubeApi, Refused } from '../api/kube-api.js';
import type { KubeObject, ResourceType } from '../api/kube-object.js';
import { MemoryKube } from '../api/memory/memory-kube.test-support.js';
import { MemoryKubeApi } from '../api/memory/memory-kube-api.test-support.js';
import { engineTypes, renderedTypes } from '../cluster/observed-objects.js';
import type { Deployment } from '../render/manifest-types.js';
import { renderPlan } from '../render/render-plan.js';
import { EVERY_KIND, planFor, requestFor, specOf } from '../render/render-request.test-support.js';
import { applyObjects, deployedObjects, deploymentDiff, removeObjects } from './deployed-pipeline.js';
import { pipelineConditions, workloadStates } from './deployment-state.js';

const ENGINE_KINDS = ['InferenceService', 'SeldonDeployment', 'Server', 'Model'];
const namespace = 'models';
const spec = specOf(EVERY_KIND);
const rendered = (embed = 'cpu') =>
  renderPlan(requestFor('deployment', { spec, plan: planFor(spec, { embed }), namespace }));

/** Cluster without other engines. */
function start() {
  const types = Object.values(renderedTypes).filter(({ kind }) => !ENGINE_KINDS.includes(kind));
  const kube = new MemoryKube(
    new ManualClock(),
    types.map((type) => ({ type, hasStatus: type.kind === 'Deployment' })),
  );
  return new MemoryKubeApi(kube);
}

const live = (api: MemoryKubeApi) => deployedObjects(api, 'shelf', namespace);
const names = (objects: readonly { readonly kind: string; readonly name: string }[]) =>
  objects.map(({ kind, name }) => `${kind} ${name}`);

describe('a rendered pipeline', () => {
  it('is missing from an empty cluster, and the same once it is applied', async () => {
    const api = start();
    const objects = rendered();
    expect(deploymentDiff(objects, await live(api))).toMatchObject({
      missing: objects.map(({ kind, metadata: { name } }) => ({ kind, name })),
      ...{ changed: [], same: [], leftOver: [] },
    });
    await applyObjects(api, objects, { pipeline: 'shelf', force: false });
    const diff = deploymentDiff(objects, await live(api));
    expect(diff).toMatchObject({ missing: [], changed: [], leftOver: [] });
    expect(diff.same).toHaveLength(objects.length);
  });

  it('differs where a plan is another one, and leaves over what that no longer wants', async () => {
    const api = start();
    await applyObjects(api, rendered('cpu'), { pipeline: 'shelf', force: false });
    const diff = deploymentDiff(rendered('gpu'), await live(api));
    expect(names(diff.missing)).toEqual(expect.arrayContaining(['Deployment shelf--embed--gpu']));
    expect(names(diff.leftOver)).toEqual([
      'ConfigMap shelf--embed--cpu',
      'Service shelf--embed--cpu',
      'Deployment shelf--embed--cpu',
      'PodDisruptionBudget shelf--embed--cpu',
      'NetworkPolicy shelf--embed--cpu',
    ]);
    expect(names(diff.changed)).toEqual(['ConfigMap shelf', 'Deployment shelf']);
    const router = diff.changed.find(({ kind }) => kind === 'Deployment');
    expect(router?.differences.map(({ path }) => path)).toContain(
      'spec.template.metadata.annotations.equipoise.dev/config-digest',
    );
    await removeObjects(api, diff.leftOver, namespace);
    await removeObjects(api, diff.leftOver, namespace);
    expect(deploymentDiff(rendered('gpu'), await live(api)).leftOver).toEqual([]);
  });

  it('leaves objects of others alone', async () => {
    const api = start();
    const service = renderedTypes['Service'] as ResourceType;
    const foreign: KubeObject = { apiVersion: 'v1', kind: 'Service', metadata: { name: 'other', namespace } };
    await api.create(service, foreign, { fieldManager: 'helm' });
    expect(deploymentDiff(rendered(), await live(api)).leftOver).toEqual([]);
  });

  it('is found by a user without rights on engines and pipelines, but not without rights on its own objects', async () => {
    const api = start();
    await applyObjects(api, rendered(), { pipeline: 'shelf', force: false });
    const all = await live(api);
    const forbidden = new AppError('CLUSTER_REFUSED', 'forbidden', { details: { httpStatus: 403 } });
    const list = api.list.bind(api);
    let hidden: readonly string[] = engineTypes.map(({ kind }) => kind);
    api.list = async (selection, page) => {
      if (hidden.includes(selection.type.kind)) throw forbidden;
      return list(selection, page);
    };
    api.get = async () => {
      throw forbidden;
    };
    expect(await live(api)).toEqual(all);
    expect(await pipelineConditions(api, 'shelf', namespace)).toBeUndefined();
    hidden = ['Service'];
    await expect(live(api)).rejects.toBe(forbidden);
  });

  it('does not take what another manager owns, unless it is told to', async () => {
    const api = start();
    await applyObjects(api, rendered(), { pipeline: 'shelf', force: false });
    const deployments = renderedTypes['Deployment'] as ResourceType;
    const ref = { type: deployments, namespace, name: 'shelf--detect--small' };
    await api.scale(ref, 7, { fieldManager: 'kube-controller-manager' });
    await expect(applyObjects(api, rendered(), { pipeline: 'shelf', force: false })).rejects.toMatchObject({
      code: 'CONFLICT',
      message: expect.stringMatching(/^Deployment shelf--detect--small was not written: .*--force takes the fields/),
    });
    await applyObjects(api, rendered(), { pipeline: 'shelf', force: true });
    expect(await api.get(ref)).toMatchObject({ spec: { replicas: 1 } });
  });

  it.each([
    ['namespaces "models" not found', 'there is no namespace models; `kubectl create namespace models` makes it.'],
    [
      'HTTP status 404',
      'the cluster has no ServiceAccount of v1; install what brings that, or choose another --target.',
    ],
  ])('says what the cluster lacks for it: %s', async (message, lack) => {
    const refused: Refused = { kind: 'refused', reason: 'not-found', message, causes: [] };
    const lacking = { get: async () => undefined, apply: async () => refused } as unknown as KubeApi;
    await expect(applyObjects(lacking, rendered(), { pipeline: 'shelf', force: false })).rejects.toMatchObject({
      ...{ code: 'CLUSTER_REFUSED', message: `ServiceAccount shelf was not written: ${lack}` },
    });
  });
});

describe('the state of the workloads', () => {
  const standing = (status: object, replicas = 2): KubeObject => {
    const [deployment] = rendered().filter(({ kind }) => kind === 'Deployment') as Deployment[];
    if (deployment === undefined) throw new Error('there is a Deployment');
    const { metadata } = deployment;
    return {
      ...deployment,
      metadata: { ...metadata, generation: 2 },
      spec: { ...deployment.spec, replicas },
      status: { observedGeneration: 2, ...status },
    } as KubeObject;
  };

  it.each([
    ['complete', { replicas: 2, updatedReplicas: 2, readyReplicas: 2 }, { ready: 2, complete: true }],
    ['starting', { replicas: 3, updatedReplicas: 1, readyReplicas: 2 }, { ready: 2, complete: false }],
    [
      'stuck',
      { conditions: [{ type: 'Progressing', status: 'False', message: 'too slow' }] },
      { ready: 0, complete: false, stuck: 'too slow' },
    ],
    [
      'refused',
      { conditions: [{ type: 'ReplicaFailure', status: 'True', message: 'exceeded quota' }] },
      { ready: 0, complete: false, stuck: 'exceeded quota' },
    ],
  ])('of a Deployment is %s', (_, status, state) => {
    expect(workloadStates([standing(status)])).toEqual([
      { kind: 'Deployment', name: 'shelf--detect--small', stage: 'detect', variant: 'small', wanted: 2, ...state },
    ]);
  });

  it('of an object of an engine is what its condition says', () => {
    const [service] = renderPlan(requestFor('kserve', { spec })).filter(({ kind }) => kind === 'InferenceService');
    const withReady = (status: string) =>
      ({ ...service, status: { conditions: [{ type: 'Ready', status, message: 'no runtime' }] } }) as KubeObject;
    expect(workloadStates([withReady('True')])).toMatchObject([{ wanted: 1, ready: 1, complete: true }]);
    expect(workloadStates([withReady('False')])).toMatchObject([{ ready: 0, complete: false, stuck: 'no runtime' }]);
  });

  it('has the router last', () => {
    const states = workloadStates(rendered());
    expect(states.map(({ name }) => name)).toEqual([
      'shelf--classify--forest',
      'shelf--detect--small',
      'shelf--embed--cpu',
      'shelf',
    ]);
  });
});

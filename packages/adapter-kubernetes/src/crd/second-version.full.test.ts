/**
 * Introduction of a second API version and removal of the first (docs/guide/upgrading.md), against a real API server.
 */
import { API_VERSION } from '@equipoise/pipeline-file';
import { describeWithTool } from '@equipoise/testkit';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { KubeApi } from '../api/kube-api.js';
import type { KubeObject, ObjectRef } from '../api/kube-object.js';
import { pipelines } from '../cluster/observed-objects.js';
import { customResources, definitionServed, newNamespace } from '../test-cluster/cluster-objects.test-support.js';
import { ControlPlane } from '../test-cluster/control-plane.test-support.js';
import { controlPlane, kubeBinariesFolder } from '../test-cluster/kube-binaries.test-support.js';
import { goodPipeline } from './bad-pipelines.test-support.js';
import { pipelineDefinition } from './pipeline-crd.js';

type Definition = ReturnType<typeof pipelineDefinition> &
  KubeObject & { readonly status?: { readonly storedVersions?: readonly string[] } };

const writer = { fieldManager: 'test' };
const [GROUP = '', FIRST = ''] = API_VERSION.split('/');
const SECOND = 'v1beta1';
const later = { ...pipelines, version: SECOND };
const { name: NAME } = pipelineDefinition().metadata;

/** Definition with these versions; one of them is stored. */
function definitionOf(versions: readonly string[], storage: string): Definition {
  const { spec, ...definition } = pipelineDefinition();
  const [only] = spec.versions;
  const all = versions.map((name) => ({ ...only, name, storage: name === storage }));
  return { ...definition, spec: { ...spec, versions: all } } as unknown as Definition;
}

describeWithTool(controlPlane, 'a second version of the custom resource', () => {
  let plane: ControlPlane;
  let api: KubeApi;
  let namespace: string;

  const define = (versions: readonly string[], storage: string) =>
    api.apply(customResources, definitionOf(versions, storage) as KubeObject, { ...writer, force: true });
  const storedVersions = async () => {
    const found = await api.get<Definition>({ type: customResources, name: NAME } as ObjectRef<Definition>);
    return found?.status?.storedVersions;
  };
  const read = (type = pipelines) => api.get({ type, name: 'shelf', namespace });
  const served = () => expect.poll(() => read(later).catch(() => undefined), { timeout: 20_000 });

  beforeAll(async () => {
    plane = await ControlPlane.start(kubeBinariesFolder());
    api = await plane.api();
    expect(await define([FIRST], FIRST)).toMatchObject({ kind: 'written' });
    await definitionServed(api, NAME);
    namespace = await newNamespace(api);
  }, 300_000);

  afterAll(() => plane?.stop(), 60_000);

  it('is served beside the first, takes its place in the store, and lets it go when every object was written', async () => {
    const object = goodPipeline();
    const placed = { ...object, metadata: { ...object.metadata, name: 'shelf', namespace } };
    expect(await api.create(pipelines, placed as never, writer)).toMatchObject({ kind: 'written' });
    const before = await read();

    expect(await define([FIRST, SECOND], FIRST)).toMatchObject({ kind: 'written' });
    await served().toMatchObject({ apiVersion: `${GROUP}/${SECOND}`, spec: before?.spec });
    expect(await storedVersions()).toEqual([FIRST]);

    expect(await define([FIRST, SECOND], SECOND)).toMatchObject({ kind: 'written' });
    await expect.poll(storedVersions, { timeout: 20_000 }).toEqual([FIRST, SECOND]);
    expect(await read()).toMatchObject({ apiVersion: API_VERSION, spec: before?.spec });

    expect(await define([SECOND], SECOND)).toMatchObject({ kind: 'refused', reason: 'invalid' });

    const rewritten = await read(later);
    expect(await api.replace(later, rewritten as never, writer)).toMatchObject({ kind: 'written' });
    const told = { ...definitionOf([FIRST, SECOND], SECOND), spec: undefined, status: { storedVersions: [SECOND] } };
    const letGo = await api.applyStatus(customResources, told as never, { ...writer, force: true });
    expect(letGo).toMatchObject({ kind: 'written', object: { status: { storedVersions: [SECOND] } } });

    expect(await define([SECOND], SECOND)).toMatchObject({ kind: 'written' });
    await expect
      .poll(
        () =>
          read().then(
            (found) => found,
            () => undefined,
          ),
        { timeout: 20_000 },
      )
      .toBeUndefined();
    expect(await read(later)).toMatchObject({ spec: before?.spec });
  });
});

/** The custom resource and rendered plans, against a real API server. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describeWithTool } from '@equipoise/testkit';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { parse } from 'yaml';
import type { KubeApi } from '../api/kube-api.js';
import type { KubeObject, ResourceType } from '../api/kube-object.js';
import { pipelines, renderedTypes } from '../cluster/observed-objects.js';
import { renderPlan } from '../render/render-plan.js';
import { EVERY_KIND, PLACED, planFor, requestFor, specOf } from '../render/render-request.test-support.js';
import { podsOf } from '../render/rendered-rules.test-support.js';
import {
  customResources,
  definitionServed,
  namespaces,
  newNamespace,
} from '../test-cluster/cluster-objects.test-support.js';
import { ControlPlane } from '../test-cluster/control-plane.test-support.js';
import { controlPlane, kubeBinariesFolder } from '../test-cluster/kube-binaries.test-support.js';
import { stored } from './api-server-check.test-support.js';
import { badPipelines, goodPipeline } from './bad-pipelines.test-support.js';
import { pipelineDefinition, pipelineSchema } from './pipeline-crd.js';
import type { InferencePipelineStatus } from './status-schema.js';

const writer = { fieldManager: 'test' };
const pods: ResourceType = { group: '', version: 'v1', kind: 'Pod', plural: 'pods', namespaced: true };
const examples = [
  'examples/policies',
  'examples/python-stage',
  'examples/shelf-scan',
  'packages/app/templates/language',
];

const exampleOf = (folder: string) => {
  const path = fileURLToPath(new URL(`../../../../${folder}/pipeline.yaml`, import.meta.url));
  return parse(readFileSync(path, 'utf8')) as ReturnType<typeof goodPipeline>;
};

describeWithTool(controlPlane, 'the custom resource on a real API server', () => {
  let plane: ControlPlane;
  let api: KubeApi;
  let namespace: string;

  beforeAll(async () => {
    plane = await ControlPlane.start(kubeBinariesFolder());
    api = await plane.api();
    const definition = pipelineDefinition() as KubeObject & { spec: unknown };
    const defined = await api.apply(customResources, definition, writer);
    expect(defined, JSON.stringify(defined)).toMatchObject({ kind: 'written' });
    await definitionServed(api, definition.metadata.name);
    namespace = await newNamespace(api);
  }, 300_000);

  afterAll(() => plane?.stop(), 60_000);

  const created = (object: KubeObject) =>
    api.create(pipelines, { ...object, metadata: { ...object.metadata, namespace } } as never, writer);

  it('is structural, and no rule could cost too much', async () => {
    const definition = await api.get({ type: customResources, name: pipelineDefinition().metadata.name });
    const conditions = definition?.status?.conditions ?? [];
    expect(conditions).toContainEqual(expect.objectContaining({ type: 'Established', status: 'True' }));
    expect(conditions.find(({ type }) => type === 'NonStructuralSchema')).toBeUndefined();
  });

  it.each([...examples])('takes %s, with the defaults that the schema says', async (folder) => {
    const example = exampleOf(folder);
    const result = await created(example);
    const { spec } = stored(pipelineSchema(), example) as { readonly spec: object };
    expect(result).toMatchObject({ kind: 'written', object: { spec } });
  });

  it.each(badPipelines)('refuses $what', async ({ object, field, message }) => {
    const result = await created(object);
    expect(result).toMatchObject({ kind: 'refused', reason: 'invalid' });
    if (result.kind !== 'refused') return;
    const told = result.causes.map((cause) => `${cause.field}: ${cause.message}`);
    expect(
      told.some((text) => text.includes(message) && text.startsWith(field)),
      told.join('\n'),
    ).toBe(true);
  });

  it('keeps a status beside the pipeline', async () => {
    await created(goodPipeline({}, 'with-status'));
    const status: InferencePipelineStatus = {
      observedGeneration: 1,
      mode: 'advise',
      plan: {
        ...planFor(specOf(EVERY_KIND)),
        predicted: {
          latencyMs: Number.POSITIVE_INFINITY,
          ...{ percentile: 99, pas: 0.5, capacityRps: 40, cpuCores: 3, costPerHour: 3.5 },
        },
      },
      conditions: [
        {
          type: 'SLOMet',
          ...{ status: 'Unknown', reason: 'NotObserved', message: '', lastTransitionTime: '2026-01-01T00:00:00Z' },
        },
      ],
    };
    const object = {
      ...goodPipeline({}, 'with-status'),
      metadata: { name: 'with-status', namespace },
      spec: undefined,
      status,
    };
    const result = await api.applyStatus(pipelines, object as never, writer);
    expect(result).toMatchObject({ kind: 'written', object: { status: JSON.parse(JSON.stringify(status)) } });
  });

  it('keeps a placement whole, and takes what it is rendered to under strict validation', async () => {
    const object = parse(PLACED) as KubeObject & { readonly spec: { readonly placement: object } };
    const result = await created(object);
    expect(result).toMatchObject({ kind: 'written', object: { spec: { placement: object.spec.placement } } });
    if (result.kind !== 'written') return;
    const { managedFields: _, ...metadata } = result.object.metadata as KubeObject['metadata'] & { managedFields?: [] };
    const stored = specOf(JSON.stringify({ ...result.object, metadata: { name: metadata.name } }));
    const asked = { plan: planFor(stored, { embed: 'gpu' }), namespace };
    const objects = renderPlan(requestFor('deployment', { spec: stored, ...asked }));
    expect(objects).toEqual(renderPlan(requestFor('deployment', { spec: specOf(PLACED), ...asked })));
    for (const each of objects) {
      const options = { ...writer, isStrict: true, dryRun: true };
      const applied = await api.apply(renderedTypes[each.kind] as ResourceType, each, options);
      expect(applied, `${each.kind} ${each.metadata.name}`).toMatchObject({ kind: 'written' });
    }
  });

  it('refuses an unknown field of a placement under strict validation', async () => {
    const object = { ...goodPipeline({ placement: { securityContext: {} } }, 'strict'), kind: 'InferencePipeline' };
    const placed = { ...object, metadata: { ...object.metadata, namespace } } as never;
    const result = await api.apply(pipelines, placed, { ...writer, isStrict: true, dryRun: true });
    expect(JSON.stringify(result)).toMatch(/unknown field|field not declared/);
  });

  it.each(['cpu', 'gpu'])('takes what a plan on a %s is rendered to, and its pods are restricted', async (embed) => {
    const spec = specOf(EVERY_KIND);
    const name = `rendered-${embed}`;
    const labels = { 'pod-security.kubernetes.io/enforce': 'restricted' };
    await api.create(namespaces, { apiVersion: 'v1', kind: 'Namespace', metadata: { name, labels } }, writer);
    const objects = renderPlan(requestFor('deployment', { spec, plan: planFor(spec, { embed }), namespace: name }));
    for (const object of objects) {
      const result = await api.apply(renderedTypes[object.kind] as ResourceType, object, writer);
      expect(result, `${object.kind} ${object.metadata.name}`).toMatchObject({ kind: 'written' });
    }
    for (const { labels: own, spec: pod, owner } of objects.map(podsOf).filter((each) => each !== undefined)) {
      const metadata = { name: `${owner.metadata.name}-pod`, namespace: name, labels: own };
      const result = await api.create(pods, { apiVersion: 'v1', kind: 'Pod', metadata, spec: pod } as never, writer);
      expect(result, owner.metadata.name).toMatchObject({ kind: 'written' });
    }
  });
});

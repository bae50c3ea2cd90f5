/** Rendered objects of all targets against the definitions of the projects that run them, on a real API server. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { gunzipSync } from 'node:zlib';
import { describeWithTool } from '@equipoise/testkit';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { written } from '../api/conformance/subject.test-support.js';
import type { KubeApi } from '../api/kube-api.js';
import type { KubeObject, ResourceType } from '../api/kube-object.js';
import { childTypes, meshTypes, renderedTypes } from '../cluster/observed-objects.js';
import { applyObjects, deployedObjects } from '../deploy/deployed-pipeline.js';
import { engineFor } from '../render/engine.js';
import { graphCaseNames, graphRequest } from '../render/engines/graph-pipelines.test-support.js';
import { chainOf } from '../render/engines/graph-shapes.test-support.js';
import { type InferenceGraph, withSplit } from '../render/engines/kserve-graph.js';
import { seldonExperiment } from '../render/engines/seldon-pipeline.js';
import { renderTargets } from '../render/engines/targets.js';
import { renderPlan } from '../render/render-plan.js';
import { EVERY_KIND, exampleOf, PLACED, planFor, requestFor, specOf } from '../render/render-request.test-support.js';
import { customResources, definitionServed, newNamespace } from './cluster-objects.test-support.js';
import { ControlPlane } from './control-plane.test-support.js';
import { controlPlane, kubeBinariesFolder } from './kube-binaries.test-support.js';

const targets = ['deployment', 'seldon-v2', 'seldon-v1', 'kserve'] as const;
const examples = [
  'examples/shelf-scan/pipeline.yaml',
  'examples/policies/pipeline.yaml',
  'examples/python-stage/pipeline.yaml',
  'packages/app/templates/language/pipeline.yaml',
];
const definitionsFolder = path.join(process.env['EQUIPOISE_REFERENCE_DIR'] ?? '', 'crds');
const tools = {
  name: 'reference',
  missing: 'set EQUIPOISE_REFERENCE_DIR to a folder with crds, and run npm run kube:build',
  isPresent: () => existsSync(path.join(definitionsFolder, 'README.md')) && controlPlane.isPresent(),
};

const documentsIn = (text: string): readonly KubeObject[] =>
  parseAllDocuments(text).flatMap((document) => (document.contents === null ? [] : [document.toJS() as KubeObject]));

const named = (group: string, kind: string, plural: string): ResourceType => ({
  ...{ group, version: 'v1', kind, plural },
  namespaced: true,
});
const wantedTypes = {
  ...renderedTypes,
  ...meshTypes,
  PeerAuthentication: named('security.istio.io', 'PeerAuthentication', 'peerauthentications'),
  Telemetry: named('telemetry.istio.io', 'Telemetry', 'telemetries'),
  PodMonitor: named('monitoring.coreos.com', 'PodMonitor', 'podmonitors'),
  PrometheusRule: named('monitoring.coreos.com', 'PrometheusRule', 'prometheusrules'),
} as Readonly<Record<string, ResourceType>>;

const ofCluster = (group: string, kind: string, plural: string): ResourceType => ({
  ...named(group, kind, plural),
  namespaced: false,
});
const clusterTypes: Readonly<Record<string, ResourceType>> = {
  Namespace: ofCluster('', 'Namespace', 'namespaces'),
  ClusterRole: ofCluster('rbac.authorization.k8s.io', 'ClusterRole', 'clusterroles'),
  ClusterRoleBinding: ofCluster('rbac.authorization.k8s.io', 'ClusterRoleBinding', 'clusterrolebindings'),
};

/** Definitions of the kinds that are written. */
function upstreamDefinitions(): readonly KubeObject[] {
  const files = readdirSync(definitionsFolder).filter((file) => file.endsWith('.yaml.gz'));
  const all = files.flatMap((file) =>
    documentsIn(gunzipSync(readFileSync(path.join(definitionsFolder, file))).toString('utf8')),
  );
  const kinds = Object.keys(wantedTypes);
  return all.filter((each) =>
    kinds.includes((each as { spec?: { names?: { kind?: string } } }).spec?.names?.kind ?? ''),
  );
}

/** Objects of a pipeline; none if the engine refuses it before anything is rendered. */
function renderedOrRefused(name: string, target: (typeof renderTargets)[number]): readonly KubeObject[] {
  const request = graphRequest(name, target);
  return engineFor(target).limits(request.spec).refused.length > 0 ? [] : renderPlan(request);
}

describeWithTool(tools, 'rendered objects and the definitions of other projects', () => {
  let plane: ControlPlane;
  let api: KubeApi;

  beforeAll(async () => {
    plane = await ControlPlane.start(kubeBinariesFolder());
    api = await plane.api();
    for (const definition of upstreamDefinitions()) {
      written(await api.apply(customResources, definition as never, { fieldManager: 'test', force: true }));
      await definitionServed(api, definition.metadata.name);
    }
  }, 300_000);

  afterAll(() => plane?.stop(), 60_000);

  /** Refusals of objects under strict validation of their fields. */
  async function refusals(objects: readonly KubeObject[], namespace: string): Promise<readonly string[]> {
    const found: string[] = [];
    for (const object of objects) {
      const type = wantedTypes[object.kind] ?? clusterTypes[object.kind];
      if (type === undefined) throw new Error(`${object.kind} is not rendered`);
      const placed = type.namespaced ? { ...object, metadata: { ...object.metadata, namespace } } : object;
      const options = { fieldManager: 'test', isStrict: true, dryRun: true };
      const result = await api
        .apply(type, placed, options)
        .catch((error: unknown) => ({ kind: 'refused', message: String(error) }));
      if (result.kind === 'refused')
        found.push(`${object.kind} ${object.metadata.name}: ${(result as { message: string }).message}`);
    }
    return found;
  }

  it('knows the definitions of every kind that is not of Kubernetes itself', () => {
    const rendered = Object.keys(wantedTypes).filter((kind) => childTypes[kind] === undefined);
    expect(upstreamDefinitions()).toHaveLength(rendered.length);
  });

  it.each(targets)('accepts the golden objects of %s', async (target) => {
    const golden = readFileSync(new URL(`../render/golden/${target}.yaml`, import.meta.url), 'utf8');
    expect(await refusals(documentsIn(golden), await newNamespace(api))).toEqual([]);
  });

  it.each(['http-route', 'virtual-service'])('accepts the golden objects of a canary by %s', async (means) => {
    const golden = readFileSync(new URL(`../reconcile/golden/${means}.yaml`, import.meta.url), 'utf8');
    expect(await refusals(documentsIn(golden), await newNamespace(api))).toEqual([]);
  });

  it.each(['peer-authentication', 'destination-rule', 'telemetry'])('accepts deploy/istio/%s.yaml', async (name) => {
    const text = readFileSync(new URL(`../../../../deploy/istio/${name}.yaml`, import.meta.url), 'utf8');
    expect(await refusals(documentsIn(text), await newNamespace(api))).toEqual([]);
  });

  it.each([
    'monitoring/pod-monitors.yaml',
    'monitoring/prometheus-rule.yaml',
    'grafana-dashboards/dashboards.yaml',
    ...['namespace', 'prometheus', 'grafana', 'config'].map((name) => `monitoring-stack/${name}.yaml`),
  ])('accepts deploy/%s', async (file) => {
    const text = readFileSync(new URL(`../../../../deploy/${file}`, import.meta.url), 'utf8');
    const objects = documentsIn(text);
    expect(objects.length).toBeGreaterThan(0);
    expect(await refusals(objects, await newNamespace(api))).toEqual([]);
  });

  it.each(targets)('accepts all examples and kinds of stages for %s', async (target) => {
    const namespace = await newNamespace(api);
    const every = specOf(EVERY_KIND);
    const requests = [
      ...examples.map((example) => requestFor(target, exampleOf(example))),
      ...['cpu', 'gpu'].map((embed) => requestFor(target, { spec: every, plan: planFor(every, { embed }) })),
    ];
    for (const request of requests) expect(await refusals(renderPlan(request), namespace)).toEqual([]);
  });

  it.each(['seldon-v2', 'seldon-v1', 'kserve'] as const)('accepts a placement for %s', async (target) => {
    const text = target === 'seldon-v2' ? PLACED.replace(/ {4}labels: .*\n/, '') : PLACED;
    const spec = specOf(text);
    const request = requestFor(target, { spec, plan: planFor(spec, { embed: 'gpu' }) });
    expect(await refusals(renderPlan(request), await newNamespace(api))).toEqual([]);
  });

  it.each(renderTargets)('accepts the ten pipelines for %s', async (target) => {
    const namespace = await newNamespace(api);
    let objects = 0;
    for (const name of graphCaseNames) {
      const rendered = renderedOrRefused(name, target);
      objects += rendered.length;
      expect([name, await refusals(rendered, namespace)]).toEqual([name, []]);
    }
    expect(objects).toBeGreaterThanOrEqual(25);
  });

  it('accepts the longest chain for seldon-v1:theirs', async () => {
    const spec = chainOf(10);
    const rendered = renderPlan(requestFor('seldon-v1:theirs', { spec, plan: planFor(spec) }));
    expect(await refusals(rendered, await newNamespace(api))).toEqual([]);
  });

  it('accepts the objects that give a canary its share', async () => {
    const graph = renderPlan(graphRequest('join', 'kserve:theirs')).at(-1) as InferenceGraph;
    const split = withSplit(graph, { url: 'http://join--next', fraction: 0.1 });
    expect(await refusals([split, seldonExperiment('join', 0.1)], await newNamespace(api))).toEqual([]);
  });

  it('writes nothing if the server refuses one object', async () => {
    const namespace = await newNamespace(api);
    const objects = renderPlan(requestFor('seldon-v1', { spec: specOf(EVERY_KIND), namespace }));
    const broken = objects.map((object) =>
      object.kind === 'SeldonDeployment'
        ? ({ ...object, spec: { predictors: 'none' } } as unknown as KubeObject)
        : object,
    );
    await expect(applyObjects(api, broken, { pipeline: 'shelf', force: false })).rejects.toThrow(/SeldonDeployment/);
    expect(await deployedObjects(api, 'shelf', namespace)).toEqual([]);
    await applyObjects(api, objects, { pipeline: 'shelf', force: false });
    expect(await deployedObjects(api, 'shelf', namespace)).toHaveLength(objects.length);
  });

  it('leaves an object of others alone', async () => {
    const namespace = await newNamespace(api);
    const type = childTypes['ConfigMap'];
    if (type === undefined) throw new Error('ConfigMaps are rendered');
    const foreign = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'shelf', namespace }, data: { a: '1' } };
    written(await api.create(type, foreign as KubeObject, { fieldManager: 'blog' }));
    const objects = renderPlan(requestFor('deployment', { spec: specOf(EVERY_KIND), namespace }));
    await expect(applyObjects(api, objects, { pipeline: 'shelf', force: false })).rejects.toThrow(/belongs to blog/);
    expect(await deployedObjects(api, 'shelf', namespace)).toEqual([]);
  });
});

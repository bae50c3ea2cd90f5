import { stageId } from '@equipoise/core/model';
import { parsePipelineFile } from '@equipoise/pipeline-file';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import type { KubeObject } from '../api/kube-object.js';
import { digestOf } from '../cluster/object-names.js';
import { isRouter } from '../cluster/observed-objects.js';
import { routedPlan } from '../plan/kept-plan.js';
import { fileOf } from '../render/config-files.js';
import type { ConfigMap, Deployment } from '../render/manifest-types.js';
import { renderPlan } from '../render/render-plan.js';
import { planFor, requestFor, specOf } from '../render/render-request.test-support.js';
import { objectsOf, planWith, shelf, wantedBy } from '../test-cluster/memory/pipeline-fixture.test-support.js';
import { sharedRouter } from './shared-router.js';

const rendered = async (variant: string, replicas: number) =>
  objectsOf(await wantedBy(shelf(), planWith(variant, replicas)));

const routerOf = (objects: readonly KubeObject[] = []) => {
  const own = objects.filter(isRouter);
  const config = own.find(({ kind }) => kind === 'ConfigMap') as ConfigMap;
  const deployment = own.find(({ kind }) => kind === 'Deployment') as Deployment;
  const text = fileOf(config) ?? '';
  const [stage] = (parse(text) as { spec: { stages: readonly unknown[] } }).spec.stages;
  return { text, stage, digest: deployment.spec.template.metadata.annotations?.['equipoise.dev/config-digest'] };
};

/** Two servers with different model names. */
const ONE_MODEL_EACH = `apiVersion: equipoise.dev/v1alpha1
kind: InferencePipeline
metadata: { name: shelf }
spec:
  slo: { latencyMs: 400 }
  sources: [{ name: x, datatype: FP32, shape: [-1] }]
  stages:
    - name: only
      variants:
${['a', 'b']
  .map(
    (name) => `        - name: ${name}
          accuracy: { value: 0.6 }
          profile: [{ cpuCores: 1, batchSize: 1, meanMs: 20 }]
          server: { command: [serve], url: 'http://127.0.0.1:{port}', model: ${name} }
`,
  )
  .join('')}`;

describe('sharedRouter', () => {
  it('is the router of the new plan over the pods of both, which it follows', async () => {
    const { stage, text, digest } = routerOf(sharedRouter(await rendered('large', 3), await rendered('small', 4)));
    expect(stage).toMatchObject({
      variants: [
        { name: 'large', server: { url: ['http://shelf--detect--large:8080', 'http://shelf--detect--small:8080'] } },
      ],
      bounds: { replicas: { min: 1 } },
      pins: { variant: 'large' },
    });
    expect(stage).not.toHaveProperty('pins.replicas');
    expect(digest).toBe(digestOf(text, 16));
    expect(parsePipelineFile(text, { fileName: 'router', baseDir: '/' })).toMatchObject({ kind: 'valid' });
  });

  it('stays as it is when it is shared once more, in either direction', async () => {
    const [small, large] = [await rendered('small', 4), await rendered('large', 3)];
    const shared = sharedRouter(large, small) ?? [];
    expect(routerOf(sharedRouter(large, shared)).text).toBe(routerOf(shared).text);
    expect(routerOf(sharedRouter(small, shared)).stage).toMatchObject({
      pins: { variant: 'small' },
      variants: [{ server: { url: ['http://shelf--detect--large:8080', 'http://shelf--detect--small:8080'] } }],
    });
  });

  it('is the wanted one where no variant is switched', async () => {
    const [two, three] = [await rendered('small', 2), await rendered('small', 3)];
    expect(routerOf(sharedRouter(three, two))).toEqual(routerOf(three));
  });

  it('keeps combine stages, which run in the router', () => {
    const more = `    - { name: again, variants: [{ name: c, accuracy: { value: 0.6 }, profile: [{ cpuCores: 1, batchSize: 1, meanMs: 20 }], server: { url: 'http://d:1', model: d } }] }
    - { name: both, combine: { method: concatenation, tensor: x } }
  edges: [{ from: only, to: both }, { from: again, to: both }]
`;
    const spec = specOf(ONE_MODEL_EACH + more);
    const objects = renderPlan(requestFor('deployment', { spec, plan: planFor(spec, { only: 'a', again: 'c' }) }));
    expect(routerOf(sharedRouter(objects, objects)).text).toBe(routerOf(objects).text);
    expect(routerOf(objects).text).toContain('method: concatenation');
    expect(objects.filter(({ kind }) => kind === 'Deployment').map(({ metadata }) => metadata.name)).not.toContain(
      'shelf--both',
    );
  });

  it('has neither a stage that the plan omits nor its weight, from which the plan is read back', () => {
    const member = (name: string, more = '') =>
      `    - { name: ${name}${more}, variants: [{ name: v, accuracy: { value: 0.6 }, profile: [{ cpuCores: 1, batchSize: 1, meanMs: 20 }], server: { command: [serve], url: 'http://127.0.0.1:{port}', model: m } }] }\n`;
    const measured = (again: string) => `{ variants: { again: ${again} }, accuracy: 0.7 }`;
    const spec =
      specOf(`${ONE_MODEL_EACH.slice(0, ONE_MODEL_EACH.indexOf('    - name: only'))}${member('only')}${member('again', ', optional: true')}
    - { name: both, combine: { method: weighted, tensor: x, weights: { only: 2, again: 1 } } }
  edges: [{ from: only, to: both }, { from: again, to: both }]
  accuracyTable: { combinations: [${measured('v')}, ${measured('omitted')}] }
`);
    const { stages } = planFor(spec);
    const again = stages[stageId('again')]?.map((part) => ({ ...part, replicas: 0 })) ?? [];
    const plan = { stages: { ...stages, [stageId('again')]: again } };
    const objects = renderPlan(requestFor('deployment', { spec, plan }));
    expect(objects.map(({ metadata }) => metadata.name).filter((name) => name.includes('again'))).toEqual([]);
    const file = parsePipelineFile(routerOf(objects).text, { fileName: 'router', baseDir: '/' });
    expect(file).toMatchObject({
      kind: 'valid',
      spec: { combines: [{ weights: { only: 2 } }], accuracyTable: { combinations: [{ accuracy: 0.7 }] } },
    });
    const routed = routedPlan(spec, objects);
    expect(routed?.stages).toMatchObject({ only: [{ replicas: 1 }], again: [{ replicas: 0 }] });
    expect(routed?.predicted.pas).toBe(0.7);
    expect(routedPlan(spec, renderPlan(requestFor('deployment', { spec })))?.stages).toMatchObject({
      again: [{ replicas: 2 }],
    });
  });

  it('is none where a router cannot ask both for the same model', () => {
    const spec = specOf(ONE_MODEL_EACH);
    const of = (variant: string) =>
      renderPlan(requestFor('deployment', { spec, plan: planFor(spec, { only: variant }) }));
    expect(sharedRouter(of('b'), of('a'))).toBeUndefined();
    expect(sharedRouter(of('b'), of('b'))).toBeDefined();
  });
});

import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import type { KubeObject } from '../api/kube-object.js';
import { toYaml } from '../api/to-yaml.js';
import { fileOf } from './config-files.js';
import type { ConfigMap } from './manifest-types.js';
import { placementOf } from './placement.js';
import { renderPlan } from './render-plan.js';
import { EVERY_KIND, PLACED, planFor, requestFor, specOf } from './render-request.test-support.js';
import { brokenRules, podsOf } from './rendered-rules.test-support.js';

const placed = specOf(PLACED);
const gpu = { plan: planFor(placed, { embed: 'gpu' }) };

const podsIn = (objects: readonly KubeObject[], name: string) => {
  const found = objects.map(podsOf).find((pods) => pods?.owner.metadata.name === name);
  if (found === undefined) throw new Error(`no pods of ${name}`);
  return found;
};

describe('a placement', () => {
  it.each(['deployment', 'seldon-v1', 'kserve'] as const)('keeps the rules of %s', (target) => {
    const request = requestFor(target, { spec: placed, ...gpu });
    expect(brokenRules(renderPlan(request), request)).toEqual([]);
  });

  it.each(['deployment', 'kserve'] as const)('is rendered as in the golden file of %s', async (target) => {
    const text = toYaml(renderPlan(requestFor(target, { spec: placed, ...gpu })));
    const golden = fileURLToPath(new URL(`golden/placed-${target}.yaml`, import.meta.url));
    await expect(text).toMatchFileSnapshot(golden);
  });

  it('gives the same bytes from a custom resource, whose keys the API server sorts', () => {
    const sorted = (value: unknown): unknown =>
      Array.isArray(value)
        ? value.map(sorted)
        : typeof value === 'object' && value !== null
          ? Object.fromEntries(
              Object.entries(value)
                .toSorted(([a], [b]) => (a < b ? -1 : 1))
                .map(([key, child]) => [key, sorted(child)]),
            )
          : value;
    const stored = specOf(JSON.stringify(sorted(parse(PLACED))));
    const text = toYaml(renderPlan(requestFor('deployment', { spec: placed, ...gpu })));
    expect(toYaml(renderPlan(requestFor('deployment', { spec: stored, ...gpu })))).toBe(text);
  });

  it('reaches the pods of its stage, of the variant in the plan, and the router that of the pipeline', () => {
    const objects = renderPlan(requestFor('deployment', { spec: placed, ...gpu }));
    const [detect, embed, router] = ['shelf--detect--small', 'shelf--embed--gpu', 'shelf'].map((name) =>
      podsIn(objects, name),
    );
    expect(router?.spec).toMatchObject({ nodeSelector: { pool: 'serving' }, imagePullSecrets: [{ name: 'registry' }] });
    expect(detect?.spec).toMatchObject({ nodeSelector: { pool: 'serving', disk: 'ssd' } });
    expect(embed?.spec).toMatchObject({ nodeSelector: { pool: 'gpu' }, runtimeClassName: 'nvidia' });
    expect(embed?.spec.tolerations).toEqual([
      { key: 'nvidia.com/gpu', operator: 'Exists', effect: 'NoSchedule' },
      { effect: 'NoSchedule', key: 'dedicated', operator: 'Exists' },
    ]);
    expect(embed?.labels).toMatchObject({ team: 'vision', 'equipoise.dev/stage': 'embed' });
  });

  it('adds a selector to constraints that have none, and keeps one that is given', () => {
    const objects = renderPlan(requestFor('deployment', { spec: placed, ...gpu }));
    const { spec, selector } = podsIn(objects, 'shelf--detect--small');
    expect(spec.topologySpreadConstraints).toMatchObject([
      { topologyKey: 'rack', labelSelector: { matchLabels: selector } },
      { topologyKey: 'zone', labelSelector: { matchLabels: { team: 'vision' } } },
    ]);
  });

  it('adds volumes, mounts and resources to what the renderer sets', () => {
    const objects = renderPlan(requestFor('deployment', { spec: placed, ...gpu }));
    const { spec } = podsIn(objects, 'shelf--detect--small');
    expect(spec.volumes.map(({ name }) => name)).toEqual(['state', 'tmp', 'config', 'models']);
    const [container] = spec.containers;
    expect(container?.volumeMounts?.at(-1)).toEqual({ name: 'models', mountPath: '/models', readOnly: true });
    const amounts = { cpu: '500m', 'example.com/npu': '2' };
    expect(container?.resources).toMatchObject({ requests: amounts, limits: amounts });
  });

  it('is in no pipeline file of a pod, so that it changes no digest', () => {
    const plain = renderPlan(requestFor('deployment', { spec: specOf(EVERY_KIND), plan: gpu.plan }));
    const files = (objects: readonly KubeObject[]) =>
      objects.flatMap((object) => (object.kind === 'ConfigMap' ? [fileOf(object as ConfigMap)] : []));
    expect(files(renderPlan(requestFor('deployment', { spec: placed, ...gpu })))).toEqual(files(plain));
  });

  it('is refused for Seldon Core 2 if it has labels, which its operator sets', () => {
    expect(() => renderPlan(requestFor('seldon-v2', { spec: placed, ...gpu }))).toThrow(
      expect.objectContaining({
        code: 'INVALID_PIPELINE',
        message: expect.stringMatching(/classify\/forest has labels/),
      }),
    );
    const labels = / {4}labels: \{ team: vision \}\n/;
    const objects = renderPlan(requestFor('seldon-v2', { spec: specOf(PLACED.replace(labels, '')), ...gpu }));
    expect(objects.find(({ kind }) => kind === 'Server')).toMatchObject({
      spec: { podSpec: { nodeSelector: { pool: 'serving' }, priorityClassName: 'serving' } },
    });
  });
});

it('merges mappings, and takes other fields from the innermost placement', () => {
  const outer = { nodeSelector: { a: '1', b: '1' }, tolerations: [{ key: 'x' }], priorityClassName: 'low' };
  const inner = { nodeSelector: { b: '2' }, tolerations: [{ key: 'y' }] };
  expect(placementOf({ placement: outer }, { placement: inner }, {})).toEqual({
    nodeSelector: { a: '1', b: '2' },
    tolerations: [{ key: 'y' }],
    priorityClassName: 'low',
  });
  expect(placementOf({}, {}, {})).toBeUndefined();
});

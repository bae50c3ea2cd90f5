import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { toYaml } from '../api/to-yaml.js';
import { objectName } from '../cluster/object-names.js';
import { canaryMeans } from '../observe/mesh.js';
import { destinationRules, httpRoute, mayBeRemoved, virtualService } from './canary-means.js';
import { canaryName } from './canary-router.js';

const hostsOf = (pipeline: string) => ({
  pipeline,
  serving: objectName(pipeline),
  canary: canaryName(pipeline),
  metadata: {},
});

describe('the objects of a canary in a mesh', () => {
  it.each(canaryMeans.filter((means) => means !== 'router'))('are those of the golden file, by %s', async (means) => {
    const hosts = hostsOf('shelf');
    const objects =
      means === 'http-route' ? [httpRoute(hosts, 0.1)] : [...destinationRules(hosts), virtualService(hosts, 0.1)];
    const golden = fileURLToPath(new URL(`golden/${means}.yaml`, import.meta.url));
    await expect(toYaml(objects)).toMatchFileSnapshot(golden);
  });

  it('have names that a cluster accepts, however long the name of the pipeline', () => {
    const hosts = hostsOf(`a-${'long-'.repeat(20)}name`);
    const objects = [httpRoute(hosts, 0.5), virtualService(hosts, 0.5), ...destinationRules(hosts)];
    for (const { metadata } of objects) expect(metadata.name).toMatch(/^[a-z][a-z0-9-]{0,62}$/);
    expect(new Set(destinationRules(hosts).map(({ metadata }) => metadata.name)).size).toBe(2);
  });

  it.each([0, 0.1, 0.29, 0.5, 1])('have whole weights that add up to 100, for the fraction %d', (fraction) => {
    const hosts = hostsOf('shelf');
    const weights = [
      httpRoute(hosts, fraction).spec.rules[0]?.backendRefs.map(({ weight }) => weight),
      virtualService(hosts, fraction).spec.http[0]?.route.map(({ weight }) => weight),
    ];
    const percent = Math.round(100 * fraction);
    expect(weights).toEqual([
      [100 - percent, percent],
      [100 - percent, percent],
    ]);
  });

  it('are removed in an order in which no route leads nowhere', () => {
    const hosts = hostsOf('shelf');
    const [route, rules] = [virtualService(hosts, 0), destinationRules(hosts)];
    const stage = { apiVersion: 'v1', kind: 'Service', metadata: { name: 'stage' } };
    const removable = (children: Parameters<typeof mayBeRemoved>[0]) =>
      children.filter(mayBeRemoved(children)).map(({ kind }) => kind);
    expect(removable([...rules, route, stage])).toEqual(['VirtualService', 'Service']);
    expect(removable([...rules, stage])).toEqual(['DestinationRule', 'DestinationRule', 'Service']);
  });
});

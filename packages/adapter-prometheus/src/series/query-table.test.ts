import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { queriesOf, queryTable } from './query-table.js';
import { ageExpression } from './series-query.js';
import { seriesSources, type WatchedPipeline, workloadOf } from './watched-pipeline.js';

const pipeline: WatchedPipeline = {
  ...{ name: 'shelf', namespace: 'shop', router: 'shelf', sources: seriesSources },
  workloads: [
    { stage: 'detect', variant: 'small', name: 'shelf--detect--small' },
    { stage: 'detect', variant: 'small-2', name: 'shelf--detect--small-2' },
  ],
};
const times = { windowS: 60, staleAfterS: 30, percentile: 99 };

/** Names of metrics with the names of their labels, as a page of a real program has them. */
function recordedMetrics(file: string): ReadonlyMap<string, ReadonlySet<string>> {
  const found = new Map<string, ReadonlySet<string>>();
  for (const line of readFileSync(new URL(`../recorded/${file}`, import.meta.url), 'utf8').split('\n')) {
    const [, name = '', labels = ''] = /^(\w+)\{(.*)\} \S+( \d+)?$/.exec(line) ?? [];
    if (name !== '') found.set(name, new Set([...labels.matchAll(/(\w+)="/g)].map(([, label = '']) => label)));
  }
  return found;
}

describe('the table of queries', () => {
  it('names each query once', () => {
    const ids = queryTable.map(({ id }) => id);
    expect(new Set(ids).size).toBe(ids.length);
    expect(queriesOf({ ...pipeline, sources: ['cadvisor', 'istio'] }).map(({ source }) => source)).toContain('istio');
    expect(queriesOf({ ...pipeline, sources: ['cadvisor'], workloads: [] })).toEqual([]);
  });

  it.each([
    ['cadvisor', 'kubelet-1.36.3-cadvisor.prom', ['namespace', 'pod', 'container']],
    ['mlserver', 'mlserver-1.7.1.prom', ['method', 'path']],
  ] as const)('asks %s for metrics and labels that a real page has', (source, file, labels) => {
    const recorded = recordedMetrics(file);
    const queries = queryTable.filter((query) => query.source === source);
    expect(queries.length).toBeGreaterThan(2);
    for (const query of queries) {
      const text = query.expression(query.scope(pipeline, times));
      const metrics = text.match(/\b(container|model|rest)_\w+(?=\{)/g) ?? [];
      expect(metrics.length).toBeGreaterThan(0);
      for (const metric of [...metrics, query.metric]) expect([...recorded.keys()]).toContain(metric);
    }
    const everyLabel = new Set([...recorded.values()].flatMap((names) => [...names]));
    for (const label of labels) expect(everyLabel).toContain(label);
  });

  it('escapes names and puts longer ones first', () => {
    const odd = {
      ...pipeline,
      name: 'a"b\\c',
      workloads: [...pipeline.workloads, { stage: 's', variant: 'v', name: 'x.y' }],
    };
    const own = queryTable.find(({ id }) => id === 'equipoise pipeline arrivalRps');
    expect(own?.scope(odd, times).selector).toBe('namespace="shop",pipeline="a\\"b\\\\c"');
    const pods = queryTable.find(({ id }) => id === 'cadvisor workload cpuCores');
    const age = pods && ageExpression(pods, pods.scope(odd, times));
    expect(age).toContain('"(shelf--detect--small-2|shelf--detect--small|x\\\\.y)(-.+)?"');
  });

  it.each([
    ['shelf--detect--small-7d9-x', 'small'],
    ['shelf--detect--small-2-7d9-x', 'small-2'],
    ['shelf--detect--small', 'small'],
    ['shelf--detect--smaller-1', undefined],
  ])('knows the workload of the pod %s', (pod, variant) => {
    expect(workloadOf(pod, pipeline)?.variant).toBe(variant);
  });
});

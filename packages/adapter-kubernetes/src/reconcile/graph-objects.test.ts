import { describe, expect, it } from 'vitest';
import { OPERATOR_MANAGER } from '../api/field-managers.js';
import type { KubeObject } from '../api/kube-object.js';
import type { ObservedPod } from '../cluster/observed-objects.js';
import { graphRequest } from '../render/engines/graph-pipelines.test-support.js';
import { renderPlan } from '../render/render-plan.js';
import { asDeployments, holds, isGraph, isInForce, nextGraph, workloadsOfGraph } from './graph-objects.js';

const graphOf = (target: 'kserve:theirs' | 'seldon-v2:theirs', name = 'join') => {
  const graph = renderPlan(graphRequest(name, target)).find(isGraph);
  if (graph === undefined) throw new Error('a graph is rendered');
  return graph;
};

const NOW_MS = Date.UTC(2026, 0, 1);
const readyStatus = { status: { conditions: [{ type: 'Ready', status: 'True' }] } };

it.each(['kserve:theirs', 'seldon-v2:theirs'] as const)('the workloads of a graph of %s are its stages', (target) => {
  const names = ['join--embed--small', 'join--label--small', 'join--merge--small', 'join--rank--small'];
  expect(workloadsOfGraph(graphOf(target)).toSorted()).toEqual(names);
});

it('the graph of a canary names its own inputs', () => {
  const next = nextGraph(graphOf('seldon-v2:theirs', 'cross-edge'), 'cross-edge');
  expect(next.metadata).toMatchObject({ name: 'cross-edge--next', labels: { 'equipoise.dev/part': 'next' } });
  expect(JSON.stringify(next.spec)).toContain('"cross-edge--next.inputs.image"');
  expect(JSON.stringify(next.spec)).not.toContain('"cross-edge.inputs');
});

describe('a graph is in force', () => {
  const pod = (graph: KubeObject, ready = 'True'): ObservedPod =>
    ({
      ...{ apiVersion: 'v1', kind: 'Pod' },
      metadata: { name: 'p', labels: graph.metadata.labels },
      spec: {
        containers: [{ args: ['--graph-json', JSON.stringify((graph as KubeObject & { spec: unknown }).spec)] }],
      },
      status: { conditions: [{ type: 'Ready', status: ready }] },
    }) as never;

  it('of KServe, once all pods of its router walk it', () => {
    const graph = { ...graphOf('kserve:theirs'), ...readyStatus };
    const old = graphOf('kserve:theirs', 'fork');
    const other = { ...old, metadata: { ...old.metadata, labels: graph.metadata.labels } } as KubeObject;
    expect(isInForce(graph, [pod(graph)], NOW_MS)).toBe(true);
    expect(isInForce(graph, [pod(graph), pod(other)], NOW_MS)).toBe(false);
    expect(isInForce(graph, [pod(graph, 'False')], NOW_MS)).toBe(false);
    expect(isInForce(graph, [], NOW_MS)).toBe(false);
  });

  it('of Seldon, some seconds after its last change, because its status tells no generation', () => {
    const graph = graphOf('seldon-v2:theirs');
    const appliedAt = (ageMs: number) => {
      const time = new Date(NOW_MS - ageMs).toISOString();
      const managedFields = [{ manager: OPERATOR_MANAGER, operation: 'Apply' as const, time }];
      return { ...graph, metadata: { ...graph.metadata, managedFields }, ...readyStatus };
    };
    expect(isInForce(appliedAt(9_000), [], NOW_MS)).toBe(false);
    expect(isInForce(appliedAt(10_000), [], NOW_MS)).toBe(true);
    expect(isInForce(graph, [], NOW_MS)).toBe(false);
  });
});

it.each<[unknown, unknown, boolean]>([
  [{ a: 1, b: { c: [1, { d: 2, e: 3 }] } }, { b: { c: [1, { d: 2 }] } }, true],
  [{ a: [1, 2] }, { a: [1] }, false],
  [{ a: '1' }, { a: 1 }, false],
  [{ a: 1 }, { a: 1, b: undefined }, true],
  [undefined, { a: 1 }, false],
])('an object %j has the fields of %j: %s', (live, wanted, expected) => {
  expect(holds(live, wanted)).toBe(expected);
});

it('holds amounts in the spelling of an engine, and no other text', () => {
  const pod = (memory: string, cpu: string) => ({ containers: [{ resources: { limits: { memory, cpu } } }] });
  expect(holds(pod('200M', '1'), pod('200000000', '1000m'))).toBe(true);
  expect(holds(pod('200Mi', '1'), pod('200000000', '1000m'))).toBe(false);
  expect(holds({ resources: { limits: {} } }, { resources: { limits: { cpu: '1' } } })).toBe(false);
  expect(holds({ value: '1k' }, { value: '1000' })).toBe(false);
});

it('a failed Model is shown as a stuck workload', () => {
  const model = {
    apiVersion: 'mlops.seldon.io/v1alpha1',
    kind: 'Model',
    metadata: { name: 'm', labels: { 'equipoise.dev/part': 'stage' } },
    spec: { replicas: 2 },
    status: {
      conditions: [{ type: 'Ready', status: 'False', reason: 'no matching servers', message: 'ScheduleFailed' }],
    },
  };
  expect(asDeployments([model as KubeObject]).get('m')?.status).toMatchObject({
    readyReplicas: 0,
    conditions: [{ type: 'Progressing', status: 'False', message: 'no matching servers: ScheduleFailed' }],
  });
});

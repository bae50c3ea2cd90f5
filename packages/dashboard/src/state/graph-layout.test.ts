import { describe, expect, it } from 'vitest';
import type { PipelineGraph } from '../api/answers.js';
import { curveOf, placeGraph, plainName } from './graph-layout.js';
import { planDiff } from './plan-diff.js';
import { stageStatus } from './stage-status.js';

const stage = (stageId: string) => ({
  ...{ stageId, kind: 'model' as const, pins: {}, variants: [], bounds: { minReplicas: 1, maxReplicas: 4 } },
});
const graph: PipelineGraph = {
  ...{ slo: { latencyMs: 1, percentile: 99 }, budget: {}, objective: { kind: 'max-accuracy' }, intervalMs: 1 },
  sources: [{ name: 'a', to: ['a'] }],
  stages: ['a', 'b', 'c', 'd'].map(stage),
  combines: [{ stageId: 'vote', method: 'vote' }],
  edges: [
    ...['b', 'c'].map((to) => ({ from: 'a', to })),
    ...['b', 'c'].map((from) => ({ from, to: 'vote' })),
    { from: 'vote', to: 'd', fanOut: 2 },
  ],
  outputs: [{ from: 'd' }],
};

describe('the layout of the graph', () => {
  it('places every node once, also a source with the name of a stage, and none on another', () => {
    for (const across of [true, false]) {
      const { nodes, edges } = placeGraph(graph, across);
      expect(nodes).toHaveLength(7);
      expect(edges).toHaveLength(7);
      for (const one of nodes)
        for (const other of nodes) {
          const isApart =
            one === other ||
            one.x + one.width <= other.x ||
            other.x + other.width <= one.x ||
            one.y + one.height <= other.y ||
            other.y + other.height <= one.y;
          expect(isApart).toBe(true);
        }
    }
  });

  it('goes from the source to the answers', () => {
    const { nodes } = placeGraph(graph, true);
    const x = (id: string) => nodes.find((node) => plainName(node.id) === id && node.kind !== 'source')?.x ?? 0;
    expect([x('a') < x('b'), x('b') < x('vote'), x('vote') < x('d'), x('d') < x('answer')]).toEqual([
      true,
      true,
      true,
      true,
    ]);
  });

  it('draws an edge through its points', () => {
    expect(
      curveOf([
        { x: 0, y: 0 },
        { x: 5, y: 5 },
        { x: 9, y: 5 },
      ]),
    ).toBe('M0,0 Q5,5 7,5 L9,5');
    expect(curveOf([])).toBe('');
  });
});

describe('the status of a stage', () => {
  const replica = (status: string) => ({ replicaId: status, variantId: 'v', resources: { cpuCores: 1 }, status });
  const level = (statuses: readonly string[], queueLength = 0, droppedRps = 0) => {
    const running = {
      stages: { a: { replicas: statuses.map(replica), maxBatchSize: 2, maxBatchWaitMs: 0, queueLength } },
    };
    const rates = { stages: { a: { itemsRps: 1, batchSize: 1, droppedRps, failedRps: 0 } } };
    const input = { running, rates, plan: undefined, replayed: undefined, latest: undefined };
    const { level: found, note } = stageStatus('a', input as never);
    return [found, note];
  };

  it.each([
    [['ready'], 0, 0, ['ok', undefined]],
    [['ready', 'starting'], 0, 0, ['warn', 'scaling']],
    [['ready'], 5, 0, ['warn', 'queue grows']],
    [['ready'], 0, 1, ['bad', 'dropping']],
    [['ready', 'failed'], 0, 0, ['bad', '1 unhealthy']],
    [['starting'], 0, 0, ['bad', 'starting']],
    [[], 0, 0, ['bad', 'no ready replica']],
  ])('%s with %s queued and %s dropped', (statuses, queue, dropped, expected) => {
    expect(level(statuses, queue, dropped)).toEqual(expected);
  });
});

describe('the difference of two plans', () => {
  const plan = (variantId: string, replicas: number) =>
    ({ stages: { a: [{ variantId, resources: { cpuCores: 1 }, maxBatchSize: 2, replicas }] } }) as never;

  it('names the fields that changed', () => {
    expect(planDiff(plan('s', 1), plan('l', 1))[0]?.changed).toEqual(['variantId']);
    expect(planDiff(plan('s', 1), plan('s', 1))[0]?.changed).toEqual([]);
    expect(planDiff(undefined, plan('s', 1))[0]).toMatchObject({ before: undefined, changed: [] });
  });
});

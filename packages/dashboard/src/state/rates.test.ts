import { describe, expect, it } from 'vitest';
import type { PipelineCounts, PipelineGraph } from '../api/answers.js';
import { ratesBetween } from './rates.js';

const graph: Pick<PipelineGraph, 'edges'> = {
  edges: [
    { from: 'a', to: 'b', fanOut: 3 },
    { from: 'b', to: 'c', when: { condition: 'true', probability: 0.5 } },
    { from: 'c', to: 'd' },
  ],
};

function counts(seconds: number, factor: number): PipelineCounts {
  const stage = (items: number, batches: number) => ({
    ...{ queueLength: 2, items: items * factor, batches: batches * factor, busyMs: 50 * factor, waitMs: 30 * factor },
    ...{ failedItems: 0, dropped: { 'queue-full': factor } },
  });
  return {
    atEpochMs: 1000 * seconds,
    inFlight: 0,
    requests: { arrived: 10 * factor, completed: 9 * factor, withinSlo: 9 * factor, failed: 0, dropped: {} },
    stages: { a: stage(10, 5), b: stage(30, 10), c: stage(15, 15) },
    edges: [
      { offered: 0, taken: 0, fanOuts: 10 * factor, items: 30 * factor },
      { offered: 30 * factor, taken: 15 * factor, fanOuts: 0, items: 0 },
      { offered: 0, taken: 0, fanOuts: 0, items: 0 },
    ],
  };
}

describe('rates between two readings', () => {
  it('are differences per second', () => {
    const rates = ratesBetween(counts(0, 1), counts(2, 3), graph);
    expect(rates).toMatchObject({ seconds: 2, arrivalRps: 10, completedRps: 9 });
    expect(rates?.stages['a']).toEqual({
      ...{ itemsRps: 10, batchSize: 2, waitMs: 3, runMs: 10, droppedRps: 1, failedRps: 0, queueLength: 2 },
    });
  });

  it('have the fan-out, the share and the rate of each edge', () => {
    expect(ratesBetween(counts(0, 1), counts(2, 3), graph)?.edges).toEqual([
      { itemsRps: 30, share: undefined, fanOut: 3 },
      { itemsRps: 15, share: 0.5, fanOut: undefined },
      { itemsRps: 15, share: undefined, fanOut: undefined },
    ]);
  });

  it('of edges follow from those of the stages where edges are not counted, as on a cluster', () => {
    const onCluster = (of: PipelineCounts): PipelineCounts => ({ ...of, edges: [] });
    const [before, after] = [onCluster(counts(0, 1)), onCluster(counts(2, 3))];
    expect(ratesBetween(before, after, graph)?.edges).toEqual([
      { itemsRps: 30, share: undefined, fanOut: 3 },
      { itemsRps: 15, share: 0.5, fanOut: undefined },
      { itemsRps: 15, share: undefined, fanOut: undefined },
    ]);
    const second: PipelineGraph['edges'][number] = { from: 'a', to: 'c' };
    expect(ratesBetween(before, after, { edges: [...graph.edges, second] })?.edges).toEqual([
      { itemsRps: 30, share: undefined, fanOut: 3 },
      undefined,
      { itemsRps: 15, share: undefined, fanOut: undefined },
      { itemsRps: 10, share: undefined, fanOut: undefined },
    ]);
  });

  it('are unknown after a restart, and between equal times', () => {
    expect(ratesBetween(counts(5, 3), counts(9, 1), graph)).toBeUndefined();
    expect(ratesBetween(counts(5, 1), counts(5, 2), graph)).toBeUndefined();
  });

  it('have no means where nothing passed', () => {
    const rates = ratesBetween(counts(0, 2), counts(1, 2), graph);
    expect(rates?.stages['a']).toMatchObject({ itemsRps: 0, batchSize: undefined, waitMs: undefined });
    expect(rates?.edges[1]?.share).toBeUndefined();
  });
});

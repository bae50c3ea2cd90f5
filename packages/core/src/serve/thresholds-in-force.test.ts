import { expect, it } from 'vitest';
import { type StageId, stageId, type VariantId, variantId } from '../model/ids.js';
import { GraphWalk } from './graph-walk.js';
import { RequestState } from './request-state.js';
import { servingGraph } from './serving-graph.js';
import { graphSpec, way } from './walk-bench.test-support.js';

const thresholds = [0.6, 0.8];
const byVariant = { 'v at 0.6': 0.2, 'v at 0.8': 0.5 } as unknown as Readonly<Record<VariantId, number>>;
const spec = graphSpec([way('a>b', { when: { condition: 'x', thresholds, probability: 0.35, byVariant } })]);
const graph = servingGraph(spec);
const v = variantId('v');

/** Payloads are confidences. Requests wait in stage `a` until they leave it. */
function bench() {
  const taken: number[] = [];
  const walk = new GraphWalk<number, undefined>(
    graph,
    {
      takes: (_edge, confidence, _context, _variant, threshold = Number.NaN) => confidence < threshold,
      share: (confidence) => confidence,
      part: () => undefined,
      items: () => 1,
      select: (_edge, output) => output,
      fanOut: () => [],
      join: () => 0,
      merge: () => 0,
    },
    {
      deliver: (request, stage) => {
        if (graph.stages[stage]?.id === stageId('b')) taken.push(request.sequence);
      },
      admits: () => true,
      discard: () => {},
      cannotAnswer: () => {},
    },
  );
  let sequence = 0;
  const enter = (): RequestState<number, undefined> => {
    const arrival = { context: undefined, arrivedAtMs: 0, deadlineAtMs: Number.POSITIVE_INFINITY };
    const request = new RequestState<number, undefined>(sequence++, arrival, 1);
    walk.enter(request, 0);
    return request;
  };
  const indexOf = (id: StageId) => graph.stages.findIndex((stage) => stage.id === id);
  const leave = (request: RequestState<number, undefined>, confidence: number): void =>
    walk.leave(request, { stage: indexOf(stageId('a')), scope: undefined }, confidence, v);
  return { taken, walk, enter, leave, set: (value: number) => walk.setThreshold(indexOf(stageId('a')), value) };
}

it('a request keeps the threshold under which it entered; the next one has the new threshold', () => {
  const { taken, walk, enter, leave, set } = bench();
  const before = enter();
  set(0.8);
  const after = enter();
  leave(before, 0.7);
  leave(after, 0.7);
  expect(taken).toEqual([after.sequence]);
  set(0.6);
  leave(enter(), 0.7);
  leave(enter(), 0.5);
  expect(taken).toEqual([1, 3]);
  expect(walk.edgeCounts.all).toMatchObject([
    {
      offered: 4,
      taken: 2,
      byVariant: { 'v at 0.6': { offered: 3, taken: 1 }, 'v at 0.8': { offered: 1, taken: 1 } },
    },
  ]);
});

it('a stage without a choice keeps its threshold', () => {
  const fixed = servingGraph(
    graphSpec([way('a>b', { when: { condition: 'x', thresholds: [0.7], probability: 0.3 } })]),
  );
  expect(fixed.edges[0]?.threshold).toBe(0.7);
  expect(fixed.stages.map(({ thresholds: choices }) => choices)).toEqual([[], []]);
});

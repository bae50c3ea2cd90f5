import { describe, expect, it } from 'vitest';
import { type Rng, SeededRng } from '../kernel/rng.js';
import type { EdgeTally } from '../model/decision.js';
import { stageId } from '../model/ids.js';
import type { EdgeSpec, PipelineSpec } from '../model/pipeline-spec.js';
import { chainSpec, planOf } from '../model/spec-builders.test-support.js';
import { requireCurves } from '../profile/service-curves.js';
import { deterministicArrivals } from './arrivals/constant-rate.js';
import { MeasuredPaths } from './measured-paths.js';
import { simulatePlan } from './simulate-plan.js';

const takes = [{ cpuCores: 1, batchSize: 1, meanMs: 1 }];
const edge = (from: string, to: string, more: Partial<EdgeSpec> = {}): EdgeSpec => ({
  from: stageId(from),
  to: stageId(to),
  ...more,
});
const when = { when: { condition: 'output.unsure', probability: 0.5 } };

/** Items of a, each of which passes c, d or none on its way to e. */
const spec: PipelineSpec = {
  ...chainSpec({ a: takes, b: takes, c: takes, d: takes, e: takes, f: takes }),
  edges: [
    edge('a', 'b', { fanOut: { expected: 2 } }),
    edge('b', 'c', when),
    edge('b', 'd', when),
    edge('b', 'e'),
    edge('c', 'e'),
    edge('d', 'e'),
    edge('e', 'f', { join: 'all' }),
  ],
};

interface Path {
  readonly items: number;
  readonly toC: number;
  readonly toD: number;
}

const NONE: EdgeTally = { offered: 0, taken: 0, fanOuts: 0, items: 0 };
const tallies = ({ items, toC, toD }: Path): readonly EdgeTally[] => [
  { ...NONE, fanOuts: 1, items },
  { ...NONE, offered: items, taken: toC },
  { ...NONE, offered: items, taken: toD },
];

function drawPath(rng: Rng): Path {
  const below = (count: number) => Math.floor(rng.next() * (count + 1));
  const items = below(12);
  const toC = below(items);
  return { items, toC, toD: below(items - toC) };
}

const total = (paths: readonly Path[], of: (path: Path) => number) => paths.reduce((sum, path) => sum + of(path), 0);

describe('requests with measured paths', () => {
  it.each([1, 2, 3, 4, 5])('pass each stage as often as their inputs did (seed %i)', (seed) => {
    const rng = new SeededRng(seed);
    const paths = Array.from({ length: 7 }, () => drawPath(rng));
    const cycles = 3;
    const requests = cycles * paths.length;
    const { tally } = simulatePlan({
      spec,
      curves: requireCurves(spec, []),
      plan: planOf(spec, { maxBatchSize: 1, replicas: 4 }),
      arrivals: deterministicArrivals(10, 100 * requests),
      rng,
      hostCores: Number.POSITIVE_INFINITY,
      drops: false,
      paths: new MeasuredPaths(spec, paths.map(tallies)),
    });
    const sum = (of: (path: Path) => number) => cycles * total(paths, of);
    expect(tally.completed).toBe(requests);
    expect(tally.stages.map(({ items }) => items)).toEqual([
      requests,
      sum(({ items }) => items),
      sum(({ toC }) => toC),
      sum(({ toD }) => toD),
      sum(({ items }) => items),
      requests,
    ]);
  });

  it('have the inputs in turn', () => {
    const paths = new MeasuredPaths(
      spec,
      [2, 0, 5].map((items) => tallies({ items, toC: 0, toD: 0 })),
    );
    const itemsOf = (sequence: number) => paths.items({ index: 0 }, paths.request(sequence));
    expect([0, 1, 2, 3, 4].map(itemsOf)).toEqual([2, 0, 5, 2, 0]);
  });

  it.each([1, 2, 3])('branch again behind a branch as often as their inputs did (seed %i)', (seed) => {
    const rng = new SeededRng(seed);
    const twice: PipelineSpec = {
      ...spec,
      edges: [
        edge('a', 'b', { fanOut: { expected: 2 } }),
        edge('b', 'c', when),
        edge('c', 'd', when),
        edge('b', 'e'),
        edge('d', 'e'),
        edge('e', 'f', { join: 'all' }),
      ],
    };
    const paths = Array.from({ length: 9 }, () => drawPath(rng)).map(({ items, toC, toD }) => ({
      ...{ items, toC, toD: Math.min(toC, toD) },
    }));
    const counts = paths.map(({ items, toC, toD }) => [
      { ...NONE, fanOuts: 1, items },
      { ...NONE, offered: items, taken: toC },
      { ...NONE, offered: toC, taken: toD },
    ]);
    const { tally } = simulatePlan({
      spec: twice,
      curves: requireCurves(twice, []),
      plan: planOf(twice, { maxBatchSize: 1, replicas: 4 }),
      arrivals: deterministicArrivals(10, 100 * paths.length),
      rng,
      hostCores: Number.POSITIVE_INFINITY,
      drops: false,
      paths: new MeasuredPaths(twice, counts),
    });
    const items = tally.stages.map((stage) => stage.items);
    expect(items.slice(1, 4)).toEqual([
      total(paths, (path) => path.items),
      total(paths, ({ toC }) => toC),
      total(paths, ({ toD }) => toD),
    ]);
  });

  it('divide the items of several outputs evenly', () => {
    const counts = [
      { ...NONE, fanOuts: 1, items: 3 },
      { ...NONE, fanOuts: 3, items: 8 },
    ];
    const paths = new MeasuredPaths({ ...spec, edges: [edge('a', 'b'), edge('b', 'c')] }, [[], counts]);
    const outer = paths.fanOut({ index: 0 }, paths.request(1));
    const inner = outer.map((key) => paths.fanOut({ index: 1 }, key));
    expect(inner.map(({ length }) => length)).toEqual([2, 3, 3]);
    expect(new Set(inner.flat()).size).toBe(8);
  });

  it('end their branches behind a join without items', () => {
    const paths = new MeasuredPaths(spec, [tallies({ items: 2, toC: 2, toD: 0 })]);
    const key = paths.join({}, []);
    expect([paths.takes({ index: 1 }, key), paths.items({ index: 0 }, key)]).toEqual([false, 0]);
  });
});

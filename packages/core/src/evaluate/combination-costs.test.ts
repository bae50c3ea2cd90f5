import { describe, expect, it } from 'vitest';
import { stageId, variantId } from '../model/ids.js';
import type { PipelineSpec } from '../model/pipeline-spec.js';
import { chainSpec } from '../model/spec-builders.test-support.js';
import { combinationCosts } from './combination-costs.js';

/** Stage a: 10 ms, or 6 ms per item in batches of 2. Stage b: two cores, 20 ms. SLO 400 ms. */
const chain = chainSpec({
  a: [
    { cpuCores: 1, batchSize: 1, meanMs: 10, p99Ms: 10 },
    { cpuCores: 1, batchSize: 2, meanMs: 12, p99Ms: 12 },
  ],
  b: [{ cpuCores: 2, batchSize: 1, meanMs: 20, p99Ms: 20 }],
});
const choice = { [stageId('a')]: variantId('v'), [stageId('b')]: variantId('v') };
const costsOf = (over: Partial<PipelineSpec>, rates?: { leastRps: number; mostRps: number }) =>
  combinationCosts({ ...chain, ...over }, [], [choice], rates)[0]?.map((cost) => Math.round(1000 * cost) / 1000);

describe('combinationCosts', () => {
  it.each([
    // 6 + 2 × 20 core-ms; latency 30 ms is below a fifth of the SLO.
    ['CPU of the best batch', { budget: { cpuCores: 10 } }, undefined, [46, 0, 0, 80]],
    ['nothing of what is unlimited', {}, undefined, [0, 0, 0, 80]],
    [
      'all if plans should be cheap',
      { objective: { kind: 'min-cost', accuracyFloor: 0.5 } },
      undefined,
      [46, 0, 0, 80],
    ],
    ['latency', { slo: { latencyMs: 100, percentile: 99 } }, undefined, [0, 0, 0, 30]],
    [
      'fan-out',
      { budget: { cpuCores: 10 }, edges: chain.edges.map((edge) => ({ ...edge, fanOut: { expected: 3 } })) },
      undefined,
      [126, 0, 0, 80],
    ],
    // Half of 10 cores at 50 rps are 100 core-ms.
    [
      'nothing below what fits at every rate',
      { budget: { cpuCores: 10 } },
      { leastRps: 1, mostRps: 50 },
      [100, 0, 0, 80],
    ],
    ['too much CPU at the lowest rate', { budget: { cpuCores: 10 } }, { leastRps: 218, mostRps: 300 }, undefined],
    // The mean of 20 ms is too long, the median is not.
    [
      'the SLO percentile if it is below the mean',
      {
        slo: { latencyMs: 19, percentile: 50 },
        stages: chainSpec({ a: [{ cpuCores: 1, batchSize: 1, meanMs: 20, p99Ms: 60 }] }).stages,
        edges: [],
      },
      undefined,
      [0, 0, 0, 17.348],
    ],
    ['too long', { slo: { latencyMs: 29, percentile: 99 } }, undefined, undefined],
  ] as const)('counts %s', (_, over, rates, expected) => {
    expect(costsOf(over as Partial<PipelineSpec>, rates)).toEqual(expected);
  });

  it('counts a larger quorum as slower, so that a combination with a smaller one stays', () => {
    const [a, b, vote] = [stageId('a'), stageId('b'), stageId('vote')];
    const spec: PipelineSpec = {
      ...chain,
      sources: [{ name: 'in', to: [a, b], tensors: [] }],
      combines: [{ id: vote, method: 'vote', tensor: 'label', output: 'label' }],
      edges: [a, b].map((from) => ({ from, to: vote, join: { quorum: 1, quorums: [1, 2] } })),
      outputs: [{ from: vote }],
    };
    const choices = [1, 2].map((quorum) => ({ ...choice, [a]: variantId(`v with quorum ${quorum}`) }));
    const [one = [], two = []] = combinationCosts(spec, [], choices);
    expect(two.slice(0, -1)).toEqual(one.slice(0, -1));
    expect([one.at(-1), two.at(-1)]).toEqual([1, 2]);
  });

  it.each([
    ['the first of two branches', { join: 'any' as const }],
    ['a branch that few requests take', { when: { condition: 'output.y[0] < 0.5', probability: 0.1 } }],
  ])('finds nothing too slow that may wait for less: %s', (_, over) => {
    const point = (meanMs: number) => [{ cpuCores: 1, batchSize: 1, meanMs, p99Ms: meanMs }];
    const { stages } = chainSpec({ a: point(5), slow: point(300), fast: point(20), d: point(5) });
    const edge = (from: string, to: string) => ({ from: stageId(from), to: stageId(to) });
    const edges = [edge('a', 'fast'), edge('slow', 'd'), edge('fast', 'd')].map((each) => ({ ...each, ...over }));
    const spec = { ...chain, slo: { latencyMs: 200, percentile: 50 }, stages, edges: [edge('a', 'slow'), ...edges] };
    const slowChoice = Object.fromEntries(stages.map(({ id }) => [id, variantId('v')]));
    expect(combinationCosts(spec, [], [slowChoice])[0]).toEqual([0, 0, 0, 10, 300, 20, 10]);
  });

  it('needs profiles', () => {
    const stages = chain.stages.map((stage) => ({
      ...stage,
      variants: stage.variants.map(({ profile: _, ...rest }) => rest),
    }));
    expect(() => costsOf({ stages })).toThrow(expect.objectContaining({ code: 'PROFILE_MISSING' }));
  });
});

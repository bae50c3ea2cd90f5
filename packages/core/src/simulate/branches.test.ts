/** Branches and early joins in the simulator: frequency, cost, and the remaining time that drops assume. */
import { describe, expect, it } from 'vitest';
import { SeededRng } from '../kernel/rng.js';
import { stageId, variantId } from '../model/ids.js';
import type { EdgeSpec, PipelineSpec } from '../model/pipeline-spec.js';
import type { StagePlan } from '../model/plan.js';
import { chainSpec, planOf } from '../model/spec-builders.test-support.js';
import { requireCurves } from '../profile/service-curves.js';
import { poissonArrivals } from './arrivals/constant-rate.js';
import { batchPolicies } from './serving-policies.js';
import { simulatePlan } from './simulate-plan.js';

const takes = (meanMs: number) => [{ cpuCores: 1, batchSize: 1, meanMs }];
const edge = (from: string, to: string, more: Partial<EdgeSpec> = {}): EdgeSpec => ({
  from: stageId(from),
  to: stageId(to),
  ...more,
});
const when = (probability: number) => ({ when: { condition: 'output.unsure', probability } });
const ANY = { join: 'any' } as const;

const stages = chainSpec({ a: takes(1), b: takes(10), c: takes(30), d: takes(2) });
const cascade: PipelineSpec = {
  ...stages,
  edges: [edge('a', 'b', when(0.3)), edge('a', 'c', when(0.5)), edge('b', 'd'), edge('c', 'd')],
  outputs: [{ from: stageId('a') }, { from: stageId('d') }],
};
const hedge: PipelineSpec = {
  ...stages,
  edges: [edge('a', 'b'), edge('a', 'c'), edge('b', 'd', ANY), edge('c', 'd', ANY)],
};

function simulate(spec: PipelineSpec, drops: boolean) {
  const rng = new SeededRng(3);
  return simulatePlan({
    spec,
    curves: requireCurves(spec, []),
    plan: planOf(spec, { maxBatchSize: 1, replicas: 8 }),
    arrivals: poissonArrivals(20, 400_000, rng.fork('arrivals')),
    rng,
    hostCores: Number.POSITIVE_INFINITY,
    drops,
  }).tally;
}

function leastRemainingMs(spec: PipelineSpec): readonly number[] {
  const plan = planOf(spec, { maxBatchSize: 1, replicas: 1 });
  return batchPolicies(spec, plan, requireCurves(spec, [])).map(({ remainingMs }) => remainingMs);
}

describe('branches', () => {
  it('are taken as often as expected, the second one beside the first', () => {
    const { stages: counts, arrived, completed } = simulate(cascade, false);
    const shares = counts.map(({ items }) => items / arrived);
    expect(completed).toBe(arrived);
    for (const [stage, share] of [1, 0.3, 0.5, 0.8].entries()) expect(shares[stage]).toBeCloseTo(share, 1);
  });

  it('cost a request that does not take them nothing, nor does the drop rule expect them', () => {
    expect(leastRemainingMs(cascade)).toEqual([0, 2, 2, 0]);
    const hurried = { ...cascade, slo: { latencyMs: 20, percentile: 99 } };
    const { completed, arrived } = simulate(hurried, true);
    expect(completed / arrived).toBeCloseTo(0.5, 1); // requests on the 30-ms path are dropped
  });
});

describe('a cascade whose escalation depends on the variant', () => {
  const variants = [variantId('small'), variantId('medium')] as const;
  const [first, ...others] = stages.stages;
  const spec: PipelineSpec = {
    ...stages,
    stages: [
      { ...first, variants: variants.map((id) => ({ ...first?.variants[0], id })) },
      ...others,
    ] as PipelineSpec['stages'],
    edges: [
      edge('a', 'b', {
        when: { condition: 'x', probability: 0.6, byVariant: { [variants[0]]: 0.9, [variants[1]]: 0.3 } },
      }),
      edge('b', 'c'),
      edge('c', 'd'),
    ],
    outputs: [{ from: stageId('a') }, { from: stageId('d') }],
  };

  it.each([
    ['small', 0.9],
    ['medium', 0.3],
  ])('escalates as often as %s does', (name, share) => {
    const chosen = {
      ...spec,
      stages: spec.stages.map((stage) => ({
        ...stage,
        variants: stage.variants.filter(({ id }) => id === name || id === 'v'),
      })),
    };
    const { stages: counts, arrived } = simulate(chosen, false);
    expect((counts[1]?.items ?? 0) / arrived).toBeCloseTo(share, 1);
  });
});

describe('a combine stage', () => {
  const vote = { id: stageId('vote'), method: 'vote', tensor: 'label', output: 'label' } as const;
  const voted: PipelineSpec = {
    ...stages,
    combines: [vote],
    edges: [edge('a', 'b'), edge('a', 'c'), edge('b', 'vote'), edge('c', 'vote'), edge('vote', 'd')],
  };

  it('adds neither time nor work, in the simulation and in the drop rule', () => {
    const joined = { ...voted, combines: [], edges: [...voted.edges.slice(0, 2), edge('b', 'd'), edge('c', 'd')] };
    const [with_, without] = [simulate(voted, true), simulate(joined, true)];
    expect(with_.completed).toBe(with_.arrived);
    expect(with_.latencyMs.quantileMs(0.99)).toBe(without.latencyMs.quantileMs(0.99));
    expect(with_.stages.map(({ items }) => items)).toEqual(without.stages.map(({ items }) => items));
    expect(leastRemainingMs(voted)).toEqual(leastRemainingMs(joined));
    expect(leastRemainingMs(voted)).toEqual([32, 2, 2, 0]);
  });
});

describe('a source that may be missing', () => {
  it('sends its share of the parts, and no request waits for the others', () => {
    const [a, b] = [stageId('a'), stageId('b')];
    const right = { name: 'r', to: [b], tensors: [], onMissing: 'partial' as const, share: 0.3 };
    const spec: PipelineSpec = {
      ...stages,
      sources: [{ name: 'l', to: [a], tensors: [] }, right],
      edges: [edge('a', 'c'), edge('b', 'c'), edge('c', 'd')],
    };
    const { stages: counts, arrived, completed } = simulate(spec, false);
    expect(completed).toBe(arrived);
    const shares = counts.map(({ items }) => items / arrived);
    for (const [stage, share] of [1, 0.3, 1, 1].entries()) expect(shares[stage]).toBeCloseTo(share, 1);
  });
});

describe('a hedge', () => {
  it('takes as long as its faster branch', () => {
    const { latencyMs, arrived, completed } = simulate(hedge, false);
    expect(completed).toBe(arrived);
    expect(latencyMs.quantileMs(0.5)).toBeCloseTo(13, 0);
  });

  it('is not given up for its slower branch', () => {
    expect(leastRemainingMs(hedge)).toEqual([12, 2, 2, 0]);
    const { completed, arrived } = simulate({ ...hedge, slo: { latencyMs: 25, percentile: 99 } }, true);
    expect(completed / arrived).toBeGreaterThan(0.99);
  });
});

describe('a cascade with several thresholds', () => {
  const thresholds = [0.6, 0.8, 0.95];
  const shares = [0.1, 0.35, 0.8];
  const byVariant = Object.fromEntries(shares.map((share, i) => [`v at ${thresholds[i]}`, share]));
  const spec: PipelineSpec = {
    ...chainSpec({ a: takes(1), b: takes(10) }),
    edges: [edge('a', 'b', { when: { condition: 'x', thresholds, probability: 0.4, byVariant } })],
    outputs: [{ from: stageId('a'), unless: stageId('b') }, { from: stageId('b') }],
  };

  it.each([0, 1, 2])('escalates as often as measured at the threshold of the plan: %s', (position) => {
    const rng = new SeededRng(3);
    const { stages: planned, predicted } = planOf(spec, { maxBatchSize: 1, replicas: 8 });
    const [a] = planned[stageId('a')] as [StagePlan];
    const { tally } = simulatePlan({
      spec,
      curves: requireCurves(spec, []),
      plan: {
        stages: { ...planned, [stageId('a')]: [{ ...a, threshold: thresholds[position] as number }] },
        predicted,
      },
      arrivals: poissonArrivals(20, 1_200_000, rng.fork('arrivals')),
      rng,
      hostCores: Number.POSITIVE_INFINITY,
      drops: false,
    });
    const [first, second] = tally.stages;
    const share = (second?.items ?? 0) / (first?.items ?? 1);
    expect(Math.abs(share / (shares[position] as number) - 1)).toBeLessThan(0.05);
  });
});

describe('a join with several quorums', () => {
  const vote = { id: stageId('vote'), method: 'vote', tensor: 'label', output: 'label' } as const;
  const listed = { join: { quorum: 1, quorums: [1, 2, 3] } };
  const spec: PipelineSpec = {
    ...chainSpec({ a: takes(10), b: takes(20), c: takes(40) }),
    sources: [{ name: 'in', to: ['a', 'b', 'c'].map(stageId), tensors: [] }],
    combines: [vote],
    edges: ['a', 'b', 'c'].map((member) => edge(member, 'vote', listed)),
    outputs: [{ from: vote.id }],
  };
  const planAt = (quorum: number) => {
    const { stages: planned, predicted } = planOf(spec, { maxBatchSize: 1, replicas: 8 });
    const [a] = planned[stageId('a')] as [StagePlan];
    return { stages: { ...planned, [stageId('a')]: [{ ...a, quorum }] }, predicted };
  };

  it.each([
    [1, 10],
    [2, 20],
    [3, 40],
  ])('waits for the %s fastest members: %s ms', (quorum, expectedMs) => {
    const rng = new SeededRng(3);
    const { tally } = simulatePlan({
      spec,
      curves: requireCurves(spec, []),
      plan: planAt(quorum),
      arrivals: poissonArrivals(20, 100_000, rng.fork('arrivals')),
      rng,
      hostCores: Number.POSITIVE_INFINITY,
      drops: false,
    });
    expect(tally.completed).toBe(tally.arrived);
    expect(tally.latencyMs.quantileMs(0.5)).toBeCloseTo(expectedMs, 0);
  });

  it('spares no member in the drop rule if it waits for all', () => {
    const behind: PipelineSpec = {
      ...spec,
      ...chainSpec({ d: takes(5), a: takes(10), b: takes(20), c: takes(40) }),
      sources: [{ name: 'in', to: [stageId('d')], tensors: [] }],
      edges: [...['a', 'b', 'c'].map((member) => edge('d', member)), ...spec.edges],
      outputs: spec.outputs,
    };
    const leastMs = [1, 3].map((quorum) => {
      const { stages: planned } = planOf(behind, { maxBatchSize: 1, replicas: 1 });
      const [a] = planned[stageId('a')] as [StagePlan];
      const plan = { stages: { ...planned, [stageId('a')]: [{ ...a, quorum }] } };
      return batchPolicies(behind, plan, requireCurves(behind, []))[0]?.remainingMs;
    });
    expect(leastMs).toEqual([10, 40]);
  });
});

import { describe, expect, it } from 'vitest';
import { stageId, type VariantId, variantId } from '../model/ids.js';
import type { PipelineSpec, StageSpec } from '../model/pipeline-spec.js';
import type { StagePlan } from '../model/plan.js';
import { chainSpec, planOf } from '../model/spec-builders.test-support.js';
import { optimize } from '../optimize/optimize.js';
import { brokenPins, pinnedSpec, pinObjection, planObjection } from './pinned-spec.js';
import { keepsPins, planOfStages } from './plan-facts.js';

const [a, b] = [stageId('a'), stageId('b')];
const points = [{ cpuCores: 1, batchSize: 1, meanMs: 5, p99Ms: 6 }];
const thresholds = [0.6, 0.8];
const byVariant = { 'v at 0.6': 0.1, 'v at 0.8': 0.5 } as unknown as Readonly<Record<VariantId, number>>;
const spec: PipelineSpec = {
  ...chainSpec({ a: points, b: points }),
  edges: [{ from: a, to: b, when: { condition: 'x', thresholds, probability: 0.3, byVariant } }],
  outputs: [{ from: a, unless: b }, { from: b }],
  accuracyTable: {
    combinations: [0.7, 0.9].map((accuracy, i) => ({
      variants: { [a]: variantId(`v at ${thresholds[i]}`), [b]: variantId('v') },
      accuracy,
    })),
  },
};
const [deciding, other] = spec.stages as readonly [StageSpec, StageSpec];
const problem = { profiles: [], arrivalRps: 5, estimator: 'distribution' } as const;

function planAt(threshold: number) {
  const { stages } = planOf(spec, { maxBatchSize: 1, replicas: 1 });
  const [part] = stages[a] as [StagePlan];
  return planOfStages(spec, { ...stages, [a]: [{ ...part, threshold }] });
}

describe('a pinned threshold', () => {
  it.each([
    [deciding, 0.8, undefined],
    [deciding, 0.7, 'a has no threshold 0.7; it has 0.6, 0.8'],
    [deciding, Number.NaN, 'a has no threshold NaN; it has 0.6, 0.8'],
    [other, 0.8, 'b has no choice of thresholds'],
  ] as const)('is one of those of its stage: %#', (stage, threshold, objection) => {
    expect(pinObjection(spec, stage, { threshold })).toBe(objection);
  });

  it('holds in each plan, and without it the most accurate one is chosen', () => {
    const free = optimize({ ...problem, spec });
    const pinned = optimize({ ...problem, spec: pinnedSpec(spec, { [a]: { threshold: 0.6 } }) });
    expect(free).toMatchObject({
      kind: 'feasible',
      plan: { stages: { a: [{ threshold: 0.8 }] }, predicted: { pas: 0.9 } },
    });
    expect(pinned).toMatchObject({
      kind: 'feasible',
      plan: { stages: { a: [{ threshold: 0.6 }] }, predicted: { pas: 0.7 } },
    });
  });

  it('is kept by a plan with this threshold only', () => {
    const wanted = { [a]: { threshold: 0.6 } };
    expect([0.6, 0.8].map((threshold) => keepsPins(pinnedSpec(spec, wanted), planAt(threshold)))).toEqual([
      true,
      false,
    ]);
    expect([0.6, 0.8].map((threshold) => brokenPins(wanted, planAt(threshold)))).toEqual([[], ['a: threshold 0.6']]);
  });
});

describe('a pinned quorum', () => {
  const vote = stageId('vote');
  const listed = { join: { quorum: 1, quorums: [1, 2] } };
  const voted: PipelineSpec = {
    ...chainSpec({ a: points, b: points }),
    sources: [{ name: 'in', to: [a, b], tensors: [] }],
    combines: [{ id: vote, method: 'vote', tensor: 'label', output: 'label' }],
    edges: [a, b].map((from) => ({ from, to: vote, ...listed })),
    outputs: [{ from: vote }],
    accuracyTable: {
      combinations: [0.7, 0.9].map((accuracy, i) => ({
        variants: { [a]: variantId(`v with quorum ${i + 1}`), [b]: variantId('v') },
        accuracy,
      })),
    },
  };
  const [carrier, member] = voted.stages as readonly [StageSpec, StageSpec];

  it('is one of those of the join, at the stage that carries the choice', () => {
    expect(pinObjection(voted, carrier, { quorum: 2 })).toBeUndefined();
    expect(pinObjection(voted, carrier, { quorum: 3 })).toBe('a has no quorum 3; it has 1, 2');
    expect(pinObjection(voted, member, { quorum: 2 })).toBe('b has no choice of quorums');
  });

  it('holds in each plan, and without it the most accurate one is chosen', () => {
    const free = optimize({ ...problem, spec: voted });
    const pinned = optimize({ ...problem, spec: pinnedSpec(voted, { [a]: { quorum: 1 } }) });
    expect(free).toMatchObject({ plan: { stages: { a: [{ quorum: 2 }] }, predicted: { pas: 0.9 } } });
    expect(pinned).toMatchObject({ plan: { stages: { a: [{ quorum: 1 }] }, predicted: { pas: 0.7 } } });
    if (free.kind !== 'feasible') throw new Error('no plan');
    expect(planObjection(voted, free.plan)).toBeUndefined();
    expect(keepsPins(pinnedSpec(voted, { [a]: { quorum: 1 } }), free.plan)).toBe(false);
    expect(brokenPins({ [a]: { quorum: 1 } }, free.plan)).toEqual(['a: quorum 1']);
    expect(planOfStages(voted, free.plan.stages).predicted.pas).toBe(0.9);
  });
});

describe('the threshold of a plan', () => {
  it('is one of those of its stage, and its accuracy the one measured there', () => {
    expect(planObjection(spec, planAt(0.8))).toBeUndefined();
    expect(planObjection(spec, planAt(0.7))).toBe('a has no threshold 0.7; it has 0.6, 0.8');
    expect([0.6, 0.8].map((threshold) => planAt(threshold).predicted.pas)).toEqual([0.7, 0.9]);
  });

  it('is unknown without a measurement', () => {
    const { accuracyTable: _, ...unmeasured } = spec;
    expect(optimize({ ...problem, spec: unmeasured })).toMatchObject({
      kind: 'infeasible',
      bindingConstraint: 'unmeasured-accuracy',
    });
  });
});

import { describe, expect, it } from 'vitest';
import { type StageId, stageId, type VariantId, variantId } from './ids.js';
import type { PipelineSpec, StageSpec } from './pipeline-spec.js';
import type { Plan, StagePlan } from './plan.js';
import { specOfPlan, thresholdsOfPlan, withKnownChoices } from './resolved-spec.js';
import { chainSpec, planOf } from './spec-builders.test-support.js';
import { atThreshold, choicesOf, thresholdChoices, thresholdOfChoice, variantOfChoice } from './threshold.js';

const [a, b] = [stageId('a'), stageId('b')];
const v = variantId('v');
const combinationAt = (choice: string, accuracy: number) => ({
  variants: { [a]: choice as VariantId, [b]: v } as Readonly<Record<StageId, VariantId>>,
  accuracy,
});

function cascade(thresholds: readonly number[]): PipelineSpec {
  const byVariant = Object.fromEntries(thresholds.map((value, i) => [`v at ${value}`, (i + 1) / 4]));
  const chain = chainSpec({ a: [], b: [] });
  return {
    ...chain,
    stages: chain.stages.map((stage) => (stage.id === b ? { ...stage, optional: true } : stage)),
    edges: [{ from: a, to: b, when: { condition: 'x', thresholds, probability: 0.5, byVariant } }],
    outputs: [{ from: a, unless: b }, { from: b }],
    accuracyTable: { combinations: [combinationAt('v at 0.6', 0.7), combinationAt('v at 0.8', 0.8)] },
  };
}

const spec = cascade([0.6, 0.8]);

function planAt(threshold: number | undefined): Plan['stages'] {
  const { stages } = planOf(spec, { maxBatchSize: 1, replicas: 1 });
  const [first] = stages[a] as [StagePlan];
  return { ...stages, [a]: [threshold === undefined ? first : { ...first, threshold }] };
}

describe('a choice of a stage', () => {
  it.each<[VariantId, number | undefined, string]>([
    [v, undefined, 'v'],
    [v, 0.8, 'v at 0.8'],
    [variantId('a@0.5/b'), 1e-7, 'a@0.5/b at 1e-7'],
  ])('is the variant at its threshold: %s at %s', (variant, threshold, choice) => {
    expect(atThreshold(variant, threshold)).toBe(choice);
    expect([variantOfChoice(choice as VariantId), thresholdOfChoice(choice as VariantId)]).toEqual([
      variant,
      threshold,
    ]);
  });

  it('has several thresholds, or a fixed one that is no choice', () => {
    expect([thresholdChoices(spec, a), thresholdChoices(spec, b)]).toEqual([[0.6, 0.8], []]);
    expect(thresholdChoices(cascade([0.6]), a)).toEqual([]);
    expect([choicesOf(spec, a, [v]), choicesOf(spec, b, [v])]).toEqual([['v at 0.6', 'v at 0.8'], ['v']]);
  });
});

describe('the spec of a plan', () => {
  it('has its threshold, with the share and the accuracy measured there', () => {
    const { edges, accuracyTable } = specOfPlan(spec, planAt(0.8));
    expect(edges[0]?.when).toEqual({ condition: 'x', thresholds: [0.8], probability: 0.5 });
    expect(accuracyTable?.combinations).toEqual([{ variants: { a: 'v', b: 'v' }, accuracy: 0.8 }]);
  });

  it('has the first threshold if the plan names none', () => {
    expect(thresholdsOfPlan(spec, planAt(undefined)).get(a)).toBe(0.6);
    expect(withKnownChoices(spec, planAt(undefined))[a]?.[0]?.threshold).toBe(0.6);
    expect(specOfPlan(spec, planAt(undefined)).edges[0]?.when?.probability).toBe(0.25);
  });

  it('has none if the plan omits the stages behind the thresholds', () => {
    const stages = planAt(undefined);
    const omitting = { ...stages, [b]: (stages[b] ?? []).map((part) => ({ ...part, replicas: 0 })) };
    const hedged = { ...spec, outputs: [{ from: a }] };
    const isLeft = {
      ...hedged,
      edges: [
        ...spec.edges,
        { from: a, to: stageId('c') },
        { from: b, to: stageId('c'), onMissing: 'partial' as const },
      ],
    };
    const withEnd = {
      ...isLeft,
      stages: [...spec.stages, { ...(spec.stages[0] as StageSpec), id: stageId('c') }],
      outputs: [{ from: stageId('c') }],
    } as PipelineSpec;
    expect(thresholdsOfPlan(withEnd, omitting).size).toBe(0);
    expect(withKnownChoices(withEnd, omitting)[a]?.[0]?.threshold).toBeUndefined();
  });
});

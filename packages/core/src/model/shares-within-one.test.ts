import { describe, expect, it } from 'vitest';
import { visitScenarios } from '../estimate/visit-scenarios.js';
import { type StageId, stageId, type VariantId } from './ids.js';
import type { EdgeSpec, PipelineSpec } from './pipeline-spec.js';
import { edgesOfPlan, resolvedSpec } from './resolved-spec.js';
import { sharesWithinOne } from './shares-within-one.js';
import { chainSpec } from './spec-builders.test-support.js';

const [detect, sort, left, right] = ['detect', 'sort', 'left', 'right'].map(stageId) as [
  StageId,
  StageId,
  StageId,
  StageId,
];
const shares = (of: Readonly<Record<string, number>>) => of as Readonly<Record<VariantId, number>>;
const branch = (to: StageId, when: Omit<NonNullable<EdgeSpec['when']>, 'condition'>): EdgeSpec => ({
  from: sort,
  to,
  when: { condition: 'x', ...when },
});
const probabilities = (edges: readonly EdgeSpec[]) => edges.map(({ when }) => when?.probability);

describe('shares of a stage', () => {
  it('stay as they are up to a sum of 1', () => {
    const edges = [branch(left, { probability: 0.3 }), branch(right, { probability: 0.7 })];
    expect(sharesWithinOne(edges)).toEqual(edges);
  });

  it('are scaled down above it, and of each variant apart', () => {
    const edges = [
      branch(left, { probability: 0.6, byVariant: shares({ small: 0.9, large: 0.3 }) }),
      branch(right, { probability: 0.4, byVariant: shares({ small: 0.3, large: 0.5 }) }),
    ];
    const [first, second] = sharesWithinOne(edges);
    expect(first?.when?.byVariant).toEqual({ small: expect.closeTo(0.75), large: 0.3 });
    expect(second?.when?.byVariant).toEqual({ small: expect.closeTo(0.25), large: 0.5 });
    expect([first?.when?.probability, second?.when?.probability]).toEqual([
      expect.closeTo(0.525),
      expect.closeTo(0.375),
    ]);
  });

  it('that are not known divide what the known ones leave', () => {
    const edges = [branch(left, { probability: 0.9 }), branch(right, { probability: 0.4 })];
    const scaled = sharesWithinOne(edges, (index) => index === 0);
    expect(probabilities(scaled)).toEqual([0.9, expect.closeTo(0.1)]);
  });
});

describe('shares behind earlier variants', () => {
  const chain = chainSpec({ detect: [], sort: [], left: [], right: [] });
  const behind = (detector: string, share: number) => ({
    upstream: { [detect]: detector } as Readonly<Record<StageId, VariantId>>,
    byVariant: shares({ only: share }),
  });
  const spec: PipelineSpec = {
    ...chain,
    edges: [
      { from: detect, to: sort },
      branch(left, { probability: 0.15, byVariant: shares({ only: 0.15 }), byUpstream: [behind('coarse', 0.158)] }),
      branch(right, { probability: 0.85, byVariant: shares({ only: 0.85 }) }),
    ],
    outputs: [{ from: left }, { from: right }],
  };
  const choiceOf = (id: StageId) => ({ [detect]: 'coarse', [sort]: 'only' })[id] as VariantId | undefined;

  it('do not sum to more than 1 with shares that were measured over all', () => {
    const resolved = resolvedSpec(spec, choiceOf);
    expect(() => visitScenarios(resolved)).not.toThrow();
    expect(probabilities(resolved.edges)).toEqual([
      undefined,
      expect.closeTo(0.158 / 1.008),
      expect.closeTo(0.85 / 1.008),
    ]);
  });

  it('are those of the choices of a plan, at their places', () => {
    const part = (variantId: string) => [{ variantId }] as never;
    const stages = { [detect]: part('coarse'), [sort]: part('only') };
    expect(probabilities(edgesOfPlan(spec, stages))).toEqual(probabilities(resolvedSpec(spec, choiceOf).edges));
    expect(probabilities(edgesOfPlan(spec, undefined))).toEqual([undefined, 0.15, 0.85]);
  });
});

import { describe, expect, it } from 'vitest';
import { stageId, type VariantId } from './ids.js';
import { withoutNodes } from './omission.js';
import type { PipelineSpec } from './pipeline-spec.js';
import { behindUpstream, resolvedSpec, specOfPlan, variantBehind } from './resolved-spec.js';
import { chainSpec, planOf } from './spec-builders.test-support.js';

const [a, b, c] = [stageId('a'), stageId('b'), stageId('c')];
const upstream = (variant: string) => ({ [a]: variant }) as never;

/** `b` asks `c` at 0.5 on the mean, at 0.2 behind the variant `v` of `a`. */
const spec: PipelineSpec = {
  ...chainSpec({ a: [], b: [], c: [] }),
  edges: [
    { from: a, to: b },
    {
      from: b,
      to: c,
      when: {
        condition: 'x < threshold',
        thresholds: [0.6, 0.8],
        probability: 0.5,
        byVariant: { 'v at 0.6': 0.4, 'v at 0.8': 0.6 } as never,
        byUpstream: [
          { upstream: upstream('other'), byVariant: { 'v at 0.6': 0.7, 'v at 0.8': 0.9 } as never },
          { upstream: upstream('v'), byVariant: { 'v at 0.6': 0.1, 'v at 0.8': 0.2 } as never },
        ],
      },
    },
  ],
};

const share = ({ edges }: PipelineSpec) => edges[1]?.when?.probability;

describe('a share behind variants of earlier stages', () => {
  const { stages } = planOf(spec, { maxBatchSize: 1, replicas: 1 });
  const at = (threshold: number, before: string) => ({
    ...stages,
    [a]: (stages[a] ?? []).map((part) => ({ ...part, variantId: before as VariantId })),
    [b]: (stages[b] ?? []).map((part) => ({ ...part, threshold })),
  });

  it.each([
    [0.6, 'v', 0.1],
    [0.8, 'v', 0.2],
    [0.8, 'other', 0.9],
    [0.8, 'unmeasured', 0.6],
  ])('is that of the plan: at %d behind %s', (threshold, before, expected) => {
    const { edges } = specOfPlan(spec, at(threshold, before));
    expect(edges[1]?.when).toEqual({ condition: 'x < threshold', thresholds: [threshold], probability: expected });
  });

  it.each(['v at 0.8', 'v at 0.8 with quorum 2'])('is that of a choice with thresholds: %s', (chosen) => {
    const choice = (id: typeof a) => (id === a ? 'v' : chosen) as VariantId;
    expect(share(resolvedSpec(spec, choice))).toBe(0.2);
  });

  it('is the mean if the earlier stage is omitted', () => {
    const without = withoutNodes(spec, new Set([a]));
    expect(without.edges[0]?.when?.byUpstream).toEqual([]);
  });

  it('replaces the shares by variant, which is all that a simulation reads', () => {
    const [, edge] = behindUpstream(spec, () => 'v' as VariantId).edges;
    expect(edge?.when?.byVariant).toEqual({ 'v at 0.6': 0.1, 'v at 0.8': 0.2 });
    expect(edge?.when?.byUpstream).toBeUndefined();
  });

  it('has a name', () => {
    expect(variantBehind('small', { [a]: 'coarse' } as never)).toBe('small behind coarse');
    expect(variantBehind('small')).toBe('small');
  });
});

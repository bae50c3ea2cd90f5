import { describe, expect, it } from 'vitest';
import type { Plan } from '../api/answers.js';
import { planDiff, variantsText } from './plan-diff.js';

interface Choice {
  readonly variantId?: string;
  readonly replicas?: number;
  readonly threshold?: number;
  readonly quorum?: number;
}

const planOf = (stages: Readonly<Record<string, Choice>>): Plan => {
  const entries = Object.entries(stages).map(([id, { variantId = 'v', replicas = 1, ...more }]) => {
    const usual = { resources: { cpuCores: 2, memoryBytes: 0, gpus: 0 }, maxBatchSize: 4, maxBatchWaitMs: 0 };
    return [id, [{ variantId, replicas, trafficFraction: 1, ...usual, ...more }]];
  });
  return { stages: Object.fromEntries(entries) } as unknown as Plan;
};
const changedIn = (before: Choice, after: Choice) => planDiff(planOf({ a: before }), planOf({ a: after }))[0]?.changed;

describe('the difference of two plans', () => {
  it.each<[string, Choice, Choice, readonly string[]]>([
    ['nothing', {}, {}, []],
    ['another variant', {}, { variantId: 'w' }, ['variantId']],
    ['more replicas', {}, { replicas: 2 }, ['replicas']],
    ['another threshold', { threshold: 0.6 }, { threshold: 0.8 }, ['threshold']],
    ['another quorum', { quorum: 2 }, { quorum: 3 }, ['quorum']],
    ['an omitted stage', {}, { replicas: 0 }, ['variantId', 'replicas', 'cpuCores', 'maxBatchSize']],
  ])('has %s', (_, before, after, changed) => {
    expect(changedIn(before, after)).toEqual(changed);
  });

  it('has no changes of stages that only one plan knows', () => {
    expect(planDiff(undefined, planOf({ a: {} }))).toMatchObject([{ stageId: 'a', before: undefined, changed: [] }]);
  });

  it('names the variants, and what is omitted', () => {
    expect(variantsText(planOf({ a: {}, b: { variantId: 'w', replicas: 0 }, c: {} }))).toBe('v · omitted · v');
  });
});

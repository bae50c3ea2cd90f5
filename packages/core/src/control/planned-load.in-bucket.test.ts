import { describe, expect, it } from 'vitest';
import type { ExpectedLoad } from '../model/expected-load.js';
import type { PlanResult } from '../model/plan.js';
import { chainSpec, planOf } from '../model/spec-builders.test-support.js';
import { planInBucket } from './planned-load.js';

const steps = [0, 1, 2, 3, 4].map((arrivalRps) => ({ arrivalRps }));
const some = planOf(chainSpec({ a: [{ cpuCores: 1, batchSize: 1, meanMs: 10 }] }), { maxBatchSize: 1, replicas: 1 });

const planned = (pas: number, costPerHour: number): PlanResult => ({
  kind: 'feasible',
  plan: { ...some, predicted: { ...some.predicted, pas, costPerHour } },
  objectiveValue: pas,
  certificate: {
    ...{ claim: 'surrogate', theta: 1, kappa: 1, optimal: true, gapFraction: 0, upperBound: pas },
    ...{ gapToBoundFraction: 0, solver: 'none', elapsedMs: 0, labels: 0 },
  },
});
const none: PlanResult = { kind: 'not-found', bindingConstraint: 'budget', tried: 3, fixes: {} };

/** Step whose plan applies to step `covering`, and all steps planned for it. */
function inBucket(answers: readonly PlanResult[], covering: number) {
  const asked: number[] = [];
  const { load, result } = planInBucket({ steps, covering }, ({ arrivalRps }: ExpectedLoad) => {
    asked.push(arrivalRps);
    return answers[arrivalRps] as PlanResult;
  });
  expect(result).toBe(answers[load.arrivalRps]);
  return { at: load.arrivalRps, asked };
}

const [cheap, fair, dear, better] = [planned(0.8, 4), planned(0.8, 5), planned(0.8, 6), planned(0.9, 6)];

describe('planInBucket', () => {
  it('plans for the end of the bucket while the bucket below has nothing better, and asks no further', () => {
    for (const [below, end] of [
      [dear, dear],
      [dear, cheap],
      [dear, better],
      [none, dear],
      [none, none],
    ] as const)
      for (const covering of [1, 4])
        expect(inBucket([below, none, none, none, end], covering)).toEqual({ at: 4, asked: [4, 0] });
  });

  it('plans for a step no lower than the load, and for the highest with the same plan', () => {
    const answers = [cheap, cheap, fair, fair, dear];
    expect([1, 2, 3, 4].map((covering) => inBucket(answers, covering).at)).toEqual([1, 2, 3, 4]);
    const late = [cheap, cheap, cheap, dear, dear];
    expect([1, 2, 3, 4].map((covering) => inBucket(late, covering).at)).toEqual([2, 2, 4, 4]);
    const early = [better, dear, dear, dear, dear];
    expect([1, 2, 3, 4].map((covering) => inBucket(early, covering).at)).toEqual([4, 4, 4, 4]);
    expect(inBucket([cheap, cheap, cheap, cheap, none], 3).at).toBe(3);
  });

  it('asks about four steps at most, by halves', () => {
    const answers = [cheap, cheap, fair, fair, dear];
    expect(inBucket(answers, 1).asked).toEqual([4, 0, 2, 1]);
    expect(inBucket(answers, 3).asked).toEqual([4, 0, 2, 3]);
    expect(inBucket([cheap, cheap, cheap, dear, dear], 2).asked).toEqual([4, 0, 2]);
  });

  it('keeps the plan for the end where a step has none that is better', () => {
    expect(inBucket([cheap, planned(0.8, 12), planned(0.8, 12), dear, dear], 1).at).toBe(4);
    expect(inBucket([cheap, none, none, none, none], 2).at).toBe(4);
  });

  it('takes one that is cheaper and less accurate for what the policy wants at that load', () => {
    expect(inBucket([cheap, cheap, cheap, better, better], 2).at).toBe(2);
  });
});

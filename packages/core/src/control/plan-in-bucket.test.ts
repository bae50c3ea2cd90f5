import { describe, expect, it } from 'vitest';
import type { ExpectedLoad } from '../model/expected-load.js';
import type { PlanResult } from '../model/plan.js';
import { chainSpec, planOf } from '../model/spec-builders.test-support.js';
import { planInBucket } from './plan-in-bucket.js';

const bucket = { least: { arrivalRps: 19 }, exact: { arrivalRps: 19.5 }, most: { arrivalRps: 20 } };
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
const none: PlanResult = { kind: 'infeasible', bindingConstraint: 'budget', proven: false, fixes: {} };

/** The answer where `answers` are given at least, exact and most load, with the loads that were asked about. */
function inBucket(...answers: readonly [PlanResult, PlanResult, PlanResult]) {
  const asked: number[] = [];
  const { load } = planInBucket(bucket, ({ arrivalRps }: ExpectedLoad) => {
    asked.push(arrivalRps);
    return answers[[19, 19.5, 20].indexOf(arrivalRps)] as PlanResult;
  });
  return { at: load.arrivalRps, asked };
}

const [cheap, dear, better] = [planned(0.8, 4), planned(0.8, 5), planned(0.9, 5)];

describe('planInBucket', () => {
  it('plans for the end of the bucket while the start has nothing better, and then asks no further', () => {
    for (const [least, most] of [
      [dear, dear],
      [dear, cheap],
      [cheap, better],
      [none, dear],
      [none, none],
    ] as const) {
      const expected = least === cheap ? [20, 19, 19.5] : [20, 19];
      expect(inBucket(least, dear, most).asked).toEqual(expected);
    }
  });

  it('plans for the load itself where it has a better plan than the end', () => {
    expect(inBucket(cheap, cheap, dear).at).toBe(19.5);
    expect(inBucket(better, better, dear).at).toBe(19.5);
    expect(inBucket(dear, dear, none).at).toBe(19.5);
  });

  it('keeps the plan for the end where the load itself has none that is better', () => {
    expect(inBucket(cheap, dear, dear).at).toBe(20);
    expect(inBucket(cheap, planned(0.8, 12), dear).at).toBe(20);
    expect(inBucket(cheap, none, none).at).toBe(20);
  });

  it('takes one that is cheaper and less accurate for what the policy wants at that load', () => {
    expect(inBucket(cheap, cheap, better).at).toBe(19.5);
  });
});

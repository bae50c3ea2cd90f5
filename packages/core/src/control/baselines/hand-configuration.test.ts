import { describe, expect, it } from 'vitest';
import { testStage } from '../../optimize/planning.test-support.js';
import { requireCurves } from '../../profile/service-curves.js';
import { inputOf, shape, twoStages } from './baselines.test-support.js';
import { withinBudget } from './budget-share.js';
import { handConfiguration, replicasFor, stagesOf } from './hand-configuration.js';
import { staticPeak } from './static-peak.js';

const configured = (spec = twoStages) => handConfiguration(spec, requireCurves(spec, []));

describe('hand configuration', () => {
  it('takes the middle variant and the largest batch within half of the share of the SLO', () => {
    // 250 ms: two items of 100 ms, four of 50 ms.
    expect(shape(stagesOf(configured(), [1, 1]))).toEqual(['large b2 1x1', 'large b4 1x1']);
  });

  it('takes the fewest cores that are fast enough, or the fastest', () => {
    const stage = testStage('detect', [{ name: 'only', accuracy: 1, fixedMs: 0, perItemMs: 400, tail: 1 }], [1, 2, 4]);
    const only = { ...twoStages, stages: [stage], edges: [], outputs: [{ from: stage.id }] };
    const within = (latencyMs: number) =>
      shape(stagesOf(configured({ ...only, slo: { latencyMs, percentile: 99 } }), [1]));
    expect(within(800)).toEqual(['only b1 1x1']);
    expect(within(500)).toEqual(['only b1 2x1']);
    expect(within(10)).toEqual(['only b1 4x1']);
  });

  it('counts replicas for a rate at a utilization, within the bounds', () => {
    const [detect] = configured();
    if (detect === undefined) throw new Error('no stage');
    expect([0, 10, 11, 30].map((rps) => replicasFor(detect, rps))).toEqual([1, 1, 2, 3]);
    expect(replicasFor(detect, 10, 0.5)).toBe(2);
    expect(replicasFor(detect, 1e6)).toBe(64);
  });
});

describe('budget share', () => {
  const share = (cpuCores: number, wanted: readonly number[]) =>
    withinBudget({ budget: { cpuCores } }, configured(), wanted);

  it('grants a wish that fits, and else serves the least satisfied stage first', () => {
    expect(share(12, [4, 8])).toEqual([4, 8]);
    expect(share(6, [4, 8])).toEqual([2, 4]);
    expect(share(2, [9, 9])).toEqual([1, 1]);
  });

  it('refuses a budget that cannot hold one replica of each stage', () => {
    expect(() => share(1, [2, 2])).toThrow('One replica of each stage needs 2 cores, the budget is 1.');
  });
});

describe('static peak', () => {
  it('serves the busiest second of the sample and never changes', () => {
    const observer = staticPeak.begin(inputOf({ sampleArrivalsPerSecond: [3, 25, 4] }));
    expect(shape(observer.first)).toEqual(['large b2 1x3', 'large b4 1x2']);
    expect(observer.decide({ atMs: 1e6, arrivalsPerSecond: [90], stages: {} })).toBeUndefined();
  });
});

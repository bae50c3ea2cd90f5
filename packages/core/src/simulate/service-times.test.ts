import { describe, expect, it } from 'vitest';
import { SeededRng } from '../kernel/rng.js';
import { chainSpec, planOf } from '../model/spec-builders.test-support.js';
import { requireCurves } from '../profile/service-curves.js';
import { simulatePlan } from './simulate-plan.js';
import type { SimulatedEnd, SimulatedServiceTimes } from './simulation-input.js';

const spec = {
  ...chainSpec({ a: [{ cpuCores: 1, batchSize: 1, meanMs: 10 }] }),
  slo: { latencyMs: 25, percentile: 99 },
};

function ends(arrivalsAtMs: readonly number[], serviceTimes?: SimulatedServiceTimes): readonly SimulatedEnd[] {
  const ended: SimulatedEnd[] = [];
  let next = 0;
  simulatePlan({
    spec,
    curves: requireCurves(spec, []),
    plan: planOf(spec, { maxBatchSize: 1, replicas: 1 }),
    arrivals: { nextAtMs: () => arrivalsAtMs[next++] },
    rng: new SeededRng(1),
    hostCores: 1,
    drops: true,
    ...(serviceTimes && { serviceTimes }),
    onEnd: (end) => ended.push(end),
  });
  return ended;
}

describe('service times of a simulation', () => {
  it('take the place of draws from the curves', () => {
    const asked: unknown[] = [];
    const slowAfterRest: SimulatedServiceTimes = {
      drawMs: (batch) => {
        asked.push(batch);
        return batch.nowMs >= 100 ? 14 : 4;
      },
    };
    const latencies = ends([0, 1, 100], slowAfterRest).map(({ latencyMs }) => latencyMs);
    expect(latencies).toEqual([4, 7, 14]);
    expect(asked).toEqual([0, 4, 100].map((nowMs) => ({ stage: 0, batchSize: 1, nowMs })));
  });

  it('leave what the drop rule expects to the curves', () => {
    const outcomes = (ms: number) => ends([0, 0, 0], { drawMs: () => ms }).map(({ outcome }) => outcome);
    // The third request would start at 2 × ms. It is expected to take 10 ms, but takes 25 ms.
    expect(outcomes(7)).toEqual(['completed', 'completed', 'completed']);
    expect(outcomes(8)).toEqual(['completed', 'deadline-unreachable', 'completed']);
  });

  it('come from the curves otherwise', () => {
    expect(ends([0, 100]).map(({ latencyMs }) => latencyMs)).toEqual([10, 10]);
  });
});

import { describe, expect, it } from 'vitest';
import { assumptionLimits, planQuestion } from './what-if.js';

describe('a what-if question', () => {
  const assumed = { arrivalRps: 10, sloLatencyMs: 200, budgetCpuCores: undefined, pins: {} };

  it('leaves out what is not assumed, but not that a pinned stage is free', () => {
    expect(planQuestion(assumed)).toEqual({ arrivalRps: 10, sloLatencyMs: 200 });
    const pins = { a: {}, b: { replicas: 2 } };
    expect(planQuestion({ ...assumed, budgetCpuCores: 4, pins })).toEqual({
      ...{ arrivalRps: 10, sloLatencyMs: 200, budgetCpuCores: 4, pins },
    });
  });

  it.each([
    [0, 20],
    [20, 80],
    [1234, 4940],
  ])('reaches beyond the load of %s req/s', (rps, most) => {
    const { arrivalRps } = assumptionLimits({ slo: { latencyMs: 400, percentile: 99 }, budget: {} }, rps);
    expect(arrivalRps.max).toBeGreaterThanOrEqual(most * 0.99);
    expect(arrivalRps.max).toBeLessThanOrEqual(most * 1.1);
    expect(arrivalRps.min).toBeGreaterThan(0);
    expect(Math.round(arrivalRps.max / arrivalRps.step)).toBeLessThanOrEqual(200);
  });
});

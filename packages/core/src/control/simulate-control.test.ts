import { describe, expect, it } from 'vitest';
import { smoothedRate } from '../forecast/smoothed-rate.js';
import { SeededRng } from '../kernel/rng.js';
import { planOf, smallOrLargeSpec } from '../model/spec-builders.test-support.js';
import { piecewiseLinearArrivals } from '../simulate/arrivals/piecewise-linear.js';
import type { SimulationRun } from '../simulate/simulate-plan.js';
import { controlPolicies } from './control-policy.js';
import { simulateControl } from './simulate-control.js';

const spec = smallOrLargeSpec();
const smallPlan = planOf(spec, { maxBatchSize: 1, replicas: 1 });

function controlled(rates: readonly number[]) {
  const points = rates.map((arrivalRps, i) => ({ atS: i * 40, arrivalRps }));
  const arrivals = piecewiseLinearArrivals(points, new SeededRng(1));
  return simulateControl({
    ...{ spec, profiles: [], firstPlan: smallPlan, arrivals, hostCores: 2, seed: 1 },
    policy: controlPolicies.equipoise,
    forecaster: smoothedRate,
  });
}

const pasMeanOf = ({ tally }: SimulationRun): number => tally.pasSum / tally.completed;

describe('simulateControl', () => {
  it('follows a load up and down without losing the SLO', { timeout: 60_000 }, () => {
    const run = controlled([8, 8, 60, 60, 8, 8]);
    const { tally, decisions } = run;
    const switches = decisions.flatMap(({ decision }) => (decision.kind === 'apply' ? decision.changes : []));
    const targets = switches.filter(({ kind }) => kind === 'switch-variant').map(({ to }) => to.variantId);
    expect(targets).toEqual(['large', 'small', 'large']);
    expect(tally.withinSlo / tally.arrived).toBeGreaterThan(0.99);
    expect(pasMeanOf(run)).toBeGreaterThan(0.62);
    expect(pasMeanOf(run)).toBeLessThan(0.85);
  });

  it('counts the accuracy of what served, not of what was decided', () => {
    const run = controlled([5, 5]);
    const { decisions, tally } = run;
    const [switchAt] = decisions.filter(({ decision }) => decision.kind === 'apply').map(({ atMs }) => atMs);
    const beforeFraction = ((switchAt ?? 0) + 300) / 40_000;
    expect(tally.completed).toBe(tally.arrived);
    expect(pasMeanOf(run)).toBeCloseTo(0.6 * beforeFraction + 0.9 * (1 - beforeFraction), 1);
  });

  it('gives the same run for the same seed', () => {
    const once = () => controlled([5, 40]);
    expect(once().tally).toEqual(once().tally);
  });
});

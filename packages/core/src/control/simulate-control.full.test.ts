import { describe, expect, it } from 'vitest';
import { smoothedRate } from '../forecast/smoothed-rate.js';
import { SeededRng } from '../kernel/rng.js';
import { stageId, variantId } from '../model/ids.js';
import { planOf, smallOrLargeSpec } from '../model/spec-builders.test-support.js';
import { requireCurves } from '../profile/service-curves.js';
import { piecewiseLinearArrivals } from '../simulate/arrivals/varying-rate.js';
import { verifiersOf } from '../simulate/plan-verifier.js';
import type { SimulationRun } from '../simulate/simulation-input.js';
import { type ControlContext, controlPolicies } from './rules.js';
import { firstPlan, simulateControl } from './simulate-control.js';

const spec = smallOrLargeSpec();
const smallPlan = planOf(spec, { maxBatchSize: 1, replicas: 1 });

const curves = requireCurves(spec, []);
const context: ControlContext = {
  ...{ spec, profiles: [], curves },
  policy: controlPolicies.equipoise,
  forecaster: smoothedRate,
  verifierAt: verifiersOf({ spec, curves, hostCores: 2, seed: 1, workStageRequests: 20_000 }),
};

function controlled(rates: readonly number[]) {
  const points = rates.map((arrivalRps, i) => ({ atS: i * 40, arrivalRps }));
  const arrivals = piecewiseLinearArrivals(points, new SeededRng(1));
  return simulateControl({ context, firstPlan: smallPlan, arrivals, hostCores: 2, seed: 1 });
}

const pasMeanOf = ({ tally }: SimulationRun): number => tally.pasSum / tally.completed;

describe('simulateControl', () => {
  it('follows a load up and down without losing the SLO', () => {
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

describe('firstPlan', () => {
  it('is made for the first interval of the load, as the seed draws it, and for nothing later', () => {
    const load = { kind: 'step', fromRps: 5, toRps: 150, atS: 20, durationS: 40 } as const;
    expect(firstPlan(context, load, 1).stages[stageId('detect')]).toMatchObject([{ variantId: 'large' }]);
    const high = { ...load, fromRps: 150 };
    expect(firstPlan(context, high, 1).stages[stageId('detect')]).toMatchObject([{ variantId: 'small' }]);
  });

  it('says what binds where there is no plan at all', () => {
    const none = { ...context, spec: { ...spec, budget: { cpuCores: 0.5 } } };
    const load = { kind: 'poisson', arrivalRps: 5, durationS: 40 } as const;
    expect(() => firstPlan(none, load, 1)).toThrow(
      /No plan carries the [\d.]+ rps that the load begins with: the budget/,
    );
  });
});

describe('a simulated canary', () => {
  const { canary: _, ...off } = spec.control;
  const control = { ...off, fastIntervalMs: 500 };
  const tried = { ...context, spec: { ...spec, budget: { cpuCores: 8 }, control } };
  const detect = stageId('detect');

  it.each(['small', 'large'])('is ended by a pin to another variant alone: a pin to %s', { timeout: 60_000 }, (id) => {
    const seen: boolean[] = [];
    simulateControl({
      ...{ context: tried, firstPlan: smallPlan, hostCores: 8, seed: 1 },
      arrivals: piecewiseLinearArrivals(
        [0, 22].map((atS) => ({ atS, arrivalRps: 20 })),
        new SeededRng(1),
      ),
      actions: [{ atMs: 18_000, pins: { [detect]: { variantId: variantId(id) } } }],
      onTick: ({ observation: { atMs, runningPlan } }) => {
        if (atMs >= 17_500) seen.push(runningPlan.stages[detect]?.canary !== undefined);
      },
    });
    expect([seen[0], seen.at(-1)]).toEqual([true, id === 'large']);
  });

  it('of a pinned variant has one step, and a pin does not wait for the next plan', { timeout: 60_000 }, () => {
    let obeyedAtMs = Number.POSITIVE_INFINITY;
    const { tally } = simulateControl({
      ...{ context: tried, firstPlan: smallPlan, hostCores: 8, seed: 1 },
      arrivals: piecewiseLinearArrivals(
        [0, 30].map((atS) => ({ atS, arrivalRps: 20 })),
        new SeededRng(1),
      ),
      actions: [{ atMs: 3_000, pins: { [detect]: { variantId: variantId('large') } } }],
      onTick: ({ observation: { atMs, runningPlan } }) => {
        const { canary, replicas = [] } = runningPlan.stages[detect] ?? {};
        const isObeyed = canary === undefined && replicas.every((each) => each.variantId === 'large');
        if (isObeyed) obeyedAtMs = Math.min(obeyedAtMs, atMs);
      },
    });
    // The first step takes 8 s. The next plan would come at 10 s, and two steps would take 28 s.
    expect(obeyedAtMs).toBeLessThanOrEqual(17_000);
    expect(tally.completed).toBe(tally.arrived);
  });
});

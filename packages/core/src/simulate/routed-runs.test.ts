import { describe, expect, it } from 'vitest';
import { SeededRng } from '../kernel/rng.js';
import { chainSpec, planOf } from '../model/spec-builders.test-support.js';
import { requireCurves } from '../profile/service-curves.js';
import { arrivalsOf, type LoadSpec, loadDurationS } from './arrivals/load-spec.js';
import { mergeRuns } from './routed-runs.js';
import { simulatePlan } from './simulate-plan.js';
import { simulationReport } from './simulation-report.js';

const LOAD: LoadSpec = { kind: 'gamma', arrivalRps: 50, durationS: 20, cv: 2 };
const ROUTERS = 3;

function instantsOf(load: LoadSpec): readonly number[] {
  const arrivals = arrivalsOf(load, new SeededRng(7));
  const instants: number[] = [];
  for (let atMs = arrivals.nextAtMs(); atMs !== undefined; atMs = arrivals.nextAtMs()) instants.push(atMs);
  return instants;
}

const dealt = (router: number): LoadSpec => ({ kind: 'dealt', load: LOAD, routers: ROUTERS, router });

describe('dealt load', () => {
  it('gives every request to one router, in turn', () => {
    const whole = instantsOf(LOAD);
    const parts = Array.from({ length: ROUTERS }, (_, router) => instantsOf(dealt(router)));
    expect(parts.flat().sort((a, b) => a - b)).toEqual(whole);
    for (const [router, part] of parts.entries()) expect(part[1]).toBe(whole[ROUTERS + router]);
    expect(loadDurationS(dealt(1))).toBe(20);
  });
});

describe('dealt load in random shares', () => {
  it('gives every request to one router, and each router its share', () => {
    const shares = [0.5, 0.3, 0.2];
    const parts = shares.map((_, router) => instantsOf({ kind: 'dealt', load: LOAD, routers: 3, router, shares }));
    expect(parts.flat().sort((a, b) => a - b)).toEqual(instantsOf(LOAD));
    for (const [router, part] of parts.entries())
      expect(part.length / instantsOf(LOAD).length).toBeCloseTo(shares[router] as number, 1);
  });
});

describe('mergeRuns', () => {
  const spec = chainSpec({ a: [{ cpuCores: 1, batchSize: 1, meanMs: 20, p99Ms: 30 }] });
  const run = (load: LoadSpec) =>
    simulatePlan({
      spec,
      curves: requireCurves(spec, []),
      plan: planOf(spec, { maxBatchSize: 1, replicas: 1 }),
      arrivals: arrivalsOf(load, new SeededRng(7)),
      rng: new SeededRng(1),
      hostCores: Number.POSITIVE_INFINITY,
      drops: true,
    });

  it('adds requests, uses and latencies of all routers', () => {
    const runs = Array.from({ length: ROUTERS }, (_, router) => run(dealt(router)));
    const reports = runs.map((each) => simulationReport(spec, each));
    const merged = simulationReport(spec, mergeRuns(runs, spec.slo.latencyMs));
    expect(merged.requests).toBe(instantsOf(LOAD).length);
    expect(merged.completed).toBe(reports.reduce((sum, { completed }) => sum + completed, 0));
    expect(merged.latencyMs.max).toBe(Math.max(...reports.map(({ latencyMs }) => latencyMs.max)));
    expect(merged.cpuCoresMean).toBeCloseTo(3, 9);
    const [{ busyFraction } = { busyFraction: 0 }] = Object.values(merged.stages);
    const busy = reports.map(({ stages }) => Object.values(stages)[0]?.busyFraction ?? 0);
    expect(busyFraction).toBeGreaterThan(0.9 * Math.min(...busy));
    expect(busyFraction).toBeLessThan(Math.max(...busy) + 1e-9);
  });

  it('answers at least 1.8 times as many requests with two routers, even if shares are uneven by 20 %', () => {
    // One replica answers up to 50 rps.
    const load = (arrivalRps: number): LoadSpec => ({ kind: 'poisson', arrivalRps, durationS: 400 });
    const within = (runs: readonly ReturnType<typeof run>[]) => mergeRuns(runs, spec.slo.latencyMs).tally.withinSlo;
    const alone = within([run(load(47))]);
    for (const shares of [
      [0.5, 0.5],
      [0.6, 0.4],
    ]) {
      const runs = shares.map((_, router) => run({ kind: 'dealt', load: load(94), routers: 2, router, shares }));
      expect(within(runs) / alone).toBeGreaterThanOrEqual(1.8);
    }
  });

  it('leaves one run as it is', () => {
    const alone = run(LOAD);
    expect(mergeRuns([alone], spec.slo.latencyMs)).toBe(alone);
  });
});

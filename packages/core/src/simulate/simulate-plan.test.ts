import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SeededRng } from '../kernel/rng.js';
import type { PipelineSpec } from '../model/pipeline-spec.js';
import { chainSpec, planOf } from '../model/spec-builders.test-support.js';
import { curvesOf } from '../profile/service-curves.js';
import { poissonArrivals } from './arrivals/constant-rate.js';
import { simulatePlan } from './simulate-plan.js';
import type { SimulationRun } from './simulation-input.js';
import { verifyPlan } from './verify-plan.js';

interface Choice {
  readonly maxBatchSize: number;
  readonly replicas: number;
  readonly cpuCores?: number;
}

function curvesFor(spec: PipelineSpec) {
  const curves = curvesOf(spec, []);
  if (curves.kind === 'invalid') throw new Error(curves.problems.map((problem) => problem.message).join('; '));
  return curves;
}

function run(
  spec: PipelineSpec,
  choice: Choice,
  load: { rps: number; requests: number; seed: number; drops?: boolean },
): SimulationRun {
  const rng = new SeededRng(load.seed);
  const arrivals = poissonArrivals(load.rps, (load.requests / load.rps) * 1000, rng.fork('arrivals'));
  const plan = planOf(spec, choice);
  const hostCores = Number.POSITIVE_INFINITY;
  return simulatePlan({ spec, curves: curvesFor(spec), plan, arrivals, rng, hostCores, drops: load.drops ?? true });
}

describe('simulatePlan', () => {
  it.each([0.5, 0.8])('agrees with the M/D/1 mean sojourn at load factor %d', (load) => {
    const spec = chainSpec({ a: [{ cpuCores: 1, batchSize: 1, meanMs: 10 }] });
    const { tally } = run(
      spec,
      { maxBatchSize: 1, replicas: 1 },
      { rps: load * 100, requests: 300_000, seed: 1, drops: false },
    );
    const closedFormMs = 10 + (load * 10) / (2 * (1 - load));
    expect(tally.latencyMs.meanMs).toBeGreaterThan(closedFormMs * 0.98);
    expect(tally.latencyMs.meanMs).toBeLessThan(closedFormMs * 1.02);
  });

  it.each([
    ['measured under a CPU share, which contain its waits', { profile: [{ cpuCores: 0.5, batchSize: 1, meanMs: 10 }] }],
    ['of a server that runs elsewhere', { server: { urls: ['http://other:1'], model: 'm', batching: 'single' } }],
  ] as const)('takes times %s, as they are', (_, more) => {
    const spec = chainSpec({ a: [{ cpuCores: 1, batchSize: 1, meanMs: 10 }] });
    const variants = spec.stages[0]?.variants.map((variant) => ({ ...variant, cpuCores: [0.5], ...more })) ?? [];
    const stages = spec.stages.map((stage) => ({ ...stage, variants }));
    const choice = { maxBatchSize: 1, replicas: 1, cpuCores: 0.5 };
    const { tally } = run({ ...spec, stages }, choice, { rps: 80, requests: 300_000, seed: 1, drops: false });
    expect(tally.latencyMs.meanMs).toBeGreaterThan(30 * 0.97);
    expect(tally.latencyMs.meanMs).toBeLessThan(30 * 1.03);
  });

  it('gives a share of a core its long-run rate and no more', () => {
    const spec = chainSpec({ a: [{ cpuCores: 1, batchSize: 1, meanMs: 20 }] });
    const shared = {
      ...spec,
      stages: spec.stages.map((s) => ({ ...s, variants: s.variants.map((v) => ({ ...v, cpuCores: [0.5] })) })),
    };
    const choice = { maxBatchSize: 1, replicas: 1, cpuCores: 0.5 };
    const { tally, endedAtMs } = run(shared, choice, { rps: 100, requests: 20_000, seed: 2 });
    const completedRps = tally.completed / (endedAtMs / 1000);
    expect(completedRps).toBeGreaterThan(24.5);
    expect(completedRps).toBeLessThan(25.5);
  });

  it('never runs more replica threads than the host has cores', () => {
    const points = [{ cpuCores: 1, batchSize: 1, meanMs: 10 }];
    const spec = chainSpec({ a: points, b: points });
    const rng = new SeededRng(3);
    const setup = {
      spec,
      curves: curvesFor(spec),
      plan: planOf(spec, { maxBatchSize: 1, replicas: 2 }),
      rng,
      drops: true,
    };
    const { tally, endedAtMs } = simulatePlan({
      ...setup,
      hostCores: 1,
      arrivals: poissonArrivals(100, 60_000, rng.fork('arrivals')),
    });
    const busyMs = tally.stages.reduce((sum, stage) => sum + stage.busyMs, 0);
    expect(busyMs).toBeLessThanOrEqual(endedAtMs);
    expect(tally.completed / (endedAtMs / 1000)).toBeGreaterThan(45);
  });

  it('tells a controller of requests that fail by more items than may wait', () => {
    const points = [{ cpuCores: 1, batchSize: 1, meanMs: 1 }];
    const chain = chainSpec({ a: points, b: points });
    const edges = chain.edges.map((edge) => ({ ...edge, fanOut: { expected: 3 } }));
    const spec = { ...chain, edges, admission: { ...chain.admission, maxQueueLength: 2 } };
    const told: (number | undefined)[] = [];
    const { tally } = simulatePlan({
      spec,
      curves: curvesFor(spec),
      plan: planOf(spec, { maxBatchSize: 1, replicas: 1 }),
      rng: new SeededRng(1),
      hostCores: Number.POSITIVE_INFINITY,
      drops: true,
      arrivals: poissonArrivals(20, 5000, new SeededRng(2)),
      controller: {
        intervalMs: 4000,
        loadMs: () => 0,
        decide: (view) => {
          told.push(view.observe().failedTotal);
          return [];
        },
      },
    });
    expect(tally.failed).toBe(tally.arrived);
    expect(told).toHaveLength(1);
    expect(told[0]).toBeGreaterThan(50);
  });

  it('gives the same run for the same seed and another for another', () => {
    const points = [{ cpuCores: 1, batchSize: 1, meanMs: 8, p99Ms: 16 }];
    const spec = chainSpec({ a: points, b: points });
    const once = (seed: number) =>
      run(spec, { maxBatchSize: 1, replicas: 1 }, { rps: 90, requests: 5_000, seed }).tally;
    expect(once(4)).toEqual(once(4));
    expect(once(4).latencyMs.meanMs).not.toBe(once(5).latencyMs.meanMs);
  });

  it('conserves requests and items for any chain, fan-out and load (property)', () => {
    const shape = fc.record({
      meanMs: fc.array(fc.double({ min: 0.5, max: 50, noNaN: true }), { minLength: 2, maxLength: 4 }),
      replicas: fc.integer({ min: 1, max: 3 }),
      maxBatchSize: fc.integer({ min: 1, max: 4 }),
      fanOut: fc.double({ min: 0, max: 4, noNaN: true }),
      rps: fc.double({ min: 1, max: 200, noNaN: true }),
      seed: fc.integer({ min: 0, max: 1000 }),
    });
    fc.assert(
      fc.property(shape, ({ meanMs, fanOut, rps, seed, ...choice }) => {
        const points = (ms: number) =>
          [1, 4].map((batchSize) => ({ cpuCores: 1, batchSize, meanMs: ms * (0.5 + batchSize / 2) }));
        const chain = chainSpec(Object.fromEntries(meanMs.map((ms, i) => [`s${i}`, points(ms)])));
        const edges = chain.edges.map((edge, i) =>
          i === 0 && chain.edges.length > 1 ? { ...edge, fanOut: { expected: fanOut } } : edge,
        );
        const last = edges.length - 1;
        const spec = {
          ...chain,
          edges: edges.map((edge, i) => (i === last && last > 0 ? { ...edge, join: 'all' as const } : edge)),
        };
        const { tally } = run(spec, choice, { rps, requests: 300, seed });
        const dropped = [...tally.dropped.values()].reduce((sum, count) => sum + count, 0);
        expect(tally.completed + dropped).toBe(tally.arrived);
        expect(tally.withinSlo).toBeLessThanOrEqual(tally.completed);
        for (const stage of tally.stages) expect(stage.items).toBeLessThanOrEqual(stage.batches * choice.maxBatchSize);
      }),
      { numRuns: 200, seed: 6 },
    );
  });
});

describe('verifyPlan', () => {
  const points = [{ cpuCores: 1, batchSize: 1, meanMs: 20, p99Ms: 24 }];
  const spec = { ...chainSpec({ a: points }), slo: { latencyMs: 100, percentile: 99 } };
  const verify = (arrivalRps: number) =>
    verifyPlan(
      {
        spec,
        curves: curvesFor(spec),
        arrivalRps,
        hostCores: Number.POSITIVE_INFINITY,
        seed: 8,
        workStageRequests: 20_000,
      },
      planOf(spec, { maxBatchSize: 1, replicas: 1 }),
    );

  it('passes a plan with room and fails an overloaded one, both conclusively', () => {
    expect(verify(10)).toMatchObject({ conclusive: true });
    expect(verify(10).sloAttainmentFraction).toBeGreaterThan(0.999);
    expect(verify(60)).toMatchObject({ conclusive: true });
    expect(verify(60).sloAttainmentFraction).toBeLessThan(0.2);
  });

  it('reports the SLO percentile of the sojourn, above the bare service time', () => {
    expect(verify(25).latencyMs).toBeGreaterThan(24);
  });

  it('calls a plan without load met', () => {
    expect(verify(0)).toMatchObject({ sloAttainmentFraction: 1, conclusive: true });
  });
});

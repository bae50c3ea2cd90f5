import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LatencyHistogram } from '../kernel/latency-histogram.js';
import { SeededRng } from '../kernel/rng.js';
import { serviceCurve } from '../profile/service-curves.js';
import { lawOfPoint, type ServiceLaw } from '../profile/service-law.js';
import { type ArrivalProcess, drawArrivals } from './arrivals.js';
import { mdcWait, quantileOf, singleReplicaSojourn } from './closed-forms.test-support.js';
import { runStage } from './micro-simulation.js';
import { affineCurve } from './pipeline.test-support.js';
import { estimateStage, refineStage, type StageQuery } from './stage-sojourn.js';

const curve = affineCurve({ fixedMs: 8, perItemMs: 2, maxBatchSize: 16 });
const query: StageQuery = { curve, replicas: 2, maxBatchSize: 8, arrivalRps: 200, groupSize: 1 };

/** With service variation, quantiles are roots with a relative error of 1e-6. */
const ROOT_SLACK = 1e-5;

function tailedLaw(meanMs: number, ratio: number): ServiceLaw {
  const read = lawOfPoint({ cpuCores: 1, batchSize: 1, meanMs, p99Ms: ratio * meanMs });
  if (read.kind === 'invalid') throw new Error(read.reason);
  return read.law;
}

function simulatedP99(of: StageQuery, process: ArrivalProcess = { kind: 'poisson' }): number {
  const { groupSize, itemsPerRequest = groupSize, arrivalRps } = of;
  const all = new LatencyHistogram();
  for (let run = 0; run < 3; run++) {
    const load = { process, arrivalRps, groupSize, itemsPerRequest };
    const arriving = drawArrivals(load, 150_000, new SeededRng(5 + run));
    all.merge(runStage({ ...of, ...arriving, burstMs: 50, warmUp: 10_000 }, new SeededRng(5 + run)).requests);
  }
  return all.quantileMs(0.99);
}

/** Error of the p99 in percent. */
const errorPercent = (of: StageQuery): number => 100 * (refineStage(of).quantileMs(0.99) / simulatedP99(of) - 1);

describe('estimateStage', () => {
  it('is unstable from a load factor of 1 on', () => {
    const full = estimateStage({ ...query, arrivalRps: (1000 * 2 * 8) / 24 });
    expect(full).toMatchObject({ stable: false, meanMs: Number.POSITIVE_INFINITY });
    expect(full.loadFactor).toBeCloseTo(1, 9);
    expect(full.quantileMs(0.99)).toBe(Number.POSITIVE_INFINITY);
    expect(estimateStage({ ...query, arrivalRps: Number.NaN }).stable).toBe(false);
  });

  it('counts the load against full batches even where smaller ones carry more', () => {
    const points = [
      { batchSize: 1, law: { kind: 'constant', ms: 10 } as const },
      { batchSize: 2, law: { kind: 'constant', ms: 30 } as const },
    ];
    const stage = { curve: serviceCurve(1, 1, points), replicas: 1, maxBatchSize: 2, groupSize: 1 };
    expect(estimateStage({ ...stage, arrivalRps: 60 }).stable).toBe(true);
    expect(estimateStage({ ...stage, arrivalRps: 70 }).stable).toBe(false);
  });

  it('is the service time of one item without load', () => {
    for (const arrivalRps of [0, 0.01])
      expect(estimateStage({ ...query, arrivalRps }).quantileMs(0.9)).toBeCloseTo(10, 6);
  });

  it.each([1, 2, 4, 8, 16])('is near M/D/c, c = %i', (replicas) => {
    const one = affineCurve({ fixedMs: 0, perItemMs: 10, maxBatchSize: 1 });
    for (const loadFactor of [0.55, 0.82]) {
      const arrivalPerMs = (loadFactor * replicas) / 10;
      const exact = 10 + quantileOf(mdcWait(arrivalPerMs, 10, replicas).cdf, 0.99);
      const stage = { curve: one, replicas, maxBatchSize: 1, arrivalRps: 1000 * arrivalPerMs, groupSize: 1 };
      expect(Math.abs(estimateStage(stage).quantileMs(0.99) / exact - 1)).toBeLessThan(0.06);
    }
  });

  it.each([
    [5, 0.25, 0.65],
    [12, 0.6, 0.8],
    [24, 0.1, 0.5],
  ])('is near the exact law of one replica, cap %i, fixed share %f, load factor %f', (cap, fixed, loadFactor) => {
    const affine = affineCurve({ fixedMs: 10 * fixed, perItemMs: 10 * (1 - fixed), maxBatchSize: cap });
    const arrivalPerMs = (loadFactor * cap) / affine.meanMs(cap);
    const law = singleReplicaSojourn({ serviceMs: (k) => affine.meanMs(k), maxBatchSize: cap, arrivalPerMs });
    const stage = { curve: affine, replicas: 1, maxBatchSize: cap, arrivalRps: 1000 * arrivalPerMs, groupSize: 1 };
    const estimate = estimateStage(stage);
    for (const fraction of [0.9, 0.99])
      expect(Math.abs(estimate.quantileMs(fraction) / quantileOf(law.cdf, fraction) - 1)).toBeLessThan(0.08);
  });

  it('charges groups with their last item, parts of groups with less', () => {
    const grouped = { ...query, groupSize: 6, replicas: 3, maxBatchSize: 4, arrivalRps: 300 };
    expect(Math.abs(errorPercent(grouped))).toBeLessThan(12);
    expect(Math.abs(errorPercent({ ...grouped, itemsPerRequest: 2 }))).toBeLessThan(12);
    const mean = (itemsPerRequest: number) => estimateStage({ ...grouped, itemsPerRequest }).meanMs;
    expect(mean(1)).toBeLessThan(mean(6));
  });

  it('adds the spread of service times', () => {
    const spread = affineCurve({ fixedMs: 8, perItemMs: 2, maxBatchSize: 16 }, (ms) => ({
      kind: 'lognormal',
      mu: Math.log(ms) - 0.02,
      sigma: 0.2,
    }));
    expect(Math.abs(errorPercent({ ...query, curve: spread, arrivalRps: 120 }))).toBeLessThan(8);
    expect(Math.abs(errorPercent({ ...query, curve: spread, arrivalRps: 400 }))).toBeLessThan(8);
  });

  it.each([
    [2, 1, 1, 0.6],
    [3, 1, 16, 0.8],
    [2.5, 4, 8, 0.45],
    [3, 6, 16, 0.9],
  ])('is near the simulation of a p99 of %f times the mean, replicas %i, cap %i, load factor %f', (...of) => {
    const [ratio, replicas, cap, loadFactor] = of;
    const heavy = affineCurve({ fixedMs: 8, perItemMs: 2, maxBatchSize: 16 }, (meanMs) => tailedLaw(meanMs, ratio));
    const arrivalRps = (1000 * loadFactor * replicas * cap) / heavy.meanMs(cap);
    const stage = { curve: heavy, replicas, maxBatchSize: cap, arrivalRps, groupSize: 1 };
    expect(Math.abs(errorPercent(stage))).toBeLessThan(12);
  });

  it('rises with the rate and falls with replicas, whatever the curve and the tail (property)', () => {
    const stages = fc.record({
      tail: fc.constantFrom(1, 1.3, 3),
      replicas: fc.integer({ min: 1, max: 20 }),
      cap: fc.constantFrom(1, 3, 4, 10, 16),
      loadFactor: fc.double({ min: 0.05, max: 0.9, noNaN: true }),
      steps: fc.array(fc.double({ min: 0.05, max: 1, noNaN: true }), { minLength: 5, maxLength: 5 }),
      groupSize: fc.constantFrom(1, 3),
    });
    fc.assert(
      fc.property(stages, ({ tail, replicas, cap, loadFactor, steps, groupSize }) => {
        let ms = 5;
        const points = [1, 2, 4, 8, 16].map((batchSize, i) => {
          ms += batchSize * (steps[i] as number);
          return { batchSize, law: tailedLaw(ms, tail) };
        });
        const stage = { curve: serviceCurve(1, 1, points), replicas, maxBatchSize: cap, groupSize };
        const arrivalRps = (1000 * loadFactor * replicas * cap) / stage.curve.meanMs(cap);
        const base = estimateStage({ ...stage, arrivalRps });
        const more = estimateStage({ ...stage, arrivalRps: 1.05 * arrivalRps });
        const wider = estimateStage({ ...stage, arrivalRps, replicas: replicas + 1 });
        for (const fraction of [0.5, 0.9, 0.99]) {
          expect(more.quantileMs(fraction)).toBeGreaterThanOrEqual(
            base.quantileMs(fraction) * (1 - (tail === 1 ? 0 : ROOT_SLACK)) - 1e-9,
          );
          expect(wider.quantileMs(fraction)).toBeLessThanOrEqual(base.quantileMs(fraction) * 1.001);
        }
      }),
      { seed: 9, numRuns: 400 },
    );
  });
});

describe('bursty arrivals', () => {
  it.each([0.4, 0.8])('with gamma gaps are felt as company, load factor %f', (loadFactor) => {
    const stage = { ...query, arrivalRps: (1000 * loadFactor * 16) / 24 };
    const burstiness = { sloMs: 400, dispersionAtSlo: 4, dispersionAt10s: 4 };
    const simulated = simulatedP99(stage, { kind: 'gamma', cv: 2 });
    expect(Math.abs(estimateStage({ ...stage, burstiness }).quantileMs(0.99) / simulated - 1)).toBeLessThan(0.12);
  });

  it.each([
    [0.5, 'busier at times'],
    [0.75, 'beyond the capacity at times'],
  ])('with a switching rate are felt as such, load factor %f, %s', (loadFactor) => {
    const stage = { ...query, arrivalRps: (1000 * loadFactor * 16) / 24 };
    const process = { kind: 'mmpp', highFactor: 1.5, lowFactor: 0.5, meanHighMs: 400, meanLowMs: 400 } as const;
    const dispersionAt = (ms: number): number => {
      const x = ms / 200;
      return 1 + 0.5 * (stage.arrivalRps / 1000) * 200 * (1 + Math.expm1(-x) / x);
    };
    const burstiness = { sloMs: 400, dispersionAtSlo: dispersionAt(400), dispersionAt10s: dispersionAt(10_000) };
    const estimate = estimateStage({ ...stage, burstiness }).quantileMs(0.99);
    expect(Math.abs(estimate / simulatedP99(stage, process) - 1)).toBeLessThan(0.2);
    expect(estimate).toBeGreaterThan(1.2 * estimateStage(stage).quantileMs(0.99));
  });
});

describe('shares below one core', () => {
  const half = affineCurve({ fixedMs: 20, perItemMs: 10, maxBatchSize: 8, cpuCores: 0.5 });
  const shared = { curve: half, replicas: 3, maxBatchSize: 8, arrivalRps: 60, groupSize: 1 };

  it('count against the share of the capacity', () => {
    expect(estimateStage(shared).loadFactor).toBeCloseTo(60 / (0.5 * 3 * 80), 9);
  });

  it('are bounded by the table and met by the refined estimate', () => {
    const simulated = simulatedP99(shared);
    expect(estimateStage(shared).quantileMs(0.99)).toBeGreaterThan(simulated);
    expect(Math.abs(errorPercent(shared))).toBeLessThan(10);
  });

  it.each([0.2, 0.8])(
    'given by quotas are bounded by the table and met by the refined estimate, load factor %f',
    (load) => {
      const curve = { ...half, dispatchCores: 1, quota: { periodMs: 100, networkMs: 0 } };
      const stage = { ...shared, curve, arrivalRps: load * 120 };
      const simulated = simulatedP99(stage);
      expect(estimateStage(stage).quantileMs(0.99)).toBeGreaterThan(simulated);
      expect(Math.abs(errorPercent(stage))).toBeLessThan(12);
    },
  );

  it('refine to the same numbers within a bucket of the load', () => {
    const refined = refineStage({ ...shared, arrivalRps: 62 });
    expect(refineStage({ ...shared, arrivalRps: 62.1 }).quantileMs(0.99)).toBe(refined.quantileMs(0.99));
  });
});

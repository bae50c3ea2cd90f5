import { describe, expect, it } from 'vitest';
import { LatencyHistogram } from '../kernel/latency-histogram.js';
import { SeededRng } from '../kernel/rng.js';
import { stageId, variantId } from '../model/ids.js';
import { type ServiceCurve, serviceCurve } from '../profile/service-curves.js';
import { poissonArrivals } from '../simulate/arrivals/constant-rate.js';
import { simulatePlan } from '../simulate/simulate-plan.js';
import { drawArrivals } from './arrivals.js';
import { mdcWait, mmcSojourn, quantileOf, singleReplicaSojourn } from './closed-forms.test-support.js';
import { runStage, type StageRecord } from './micro-simulation.js';
import { affineCurve, modelStage, pipeline } from './pipeline.test-support.js';

interface Case {
  readonly curve: ServiceCurve;
  readonly replicas?: number;
  readonly maxBatchSize?: number;
  readonly arrivalPerMs: number;
  readonly groupSize?: number;
  readonly burstMs?: number;
}

function simulate(of: Case, requests = 400_000): StageRecord & { readonly items: LatencyHistogram } {
  const { groupSize = 1, replicas = 1, maxBatchSize = 1, burstMs = 50 } = of;
  const load = {
    process: { kind: 'poisson' },
    arrivalRps: 1000 * of.arrivalPerMs,
    groupSize,
    itemsPerRequest: groupSize,
  } as const;
  const arriving = drawArrivals(load, requests, new SeededRng(11));
  const itemTimes = new LatencyHistogram();
  const run = { curve: of.curve, replicas, maxBatchSize, burstMs, warmUp: requests / 20, itemTimes, ...arriving };
  return { ...runStage(run, new SeededRng(12)), items: itemTimes };
}

const percentOff = (a: number, b: number): number => 100 * Math.abs(a / b - 1);

const oneByOne = affineCurve({ fixedMs: 0, perItemMs: 10, maxBatchSize: 1 });

describe('runStage', () => {
  it('is M/M/1 with exponential service', () => {
    const sortedMs = Array.from({ length: 20_000 }, (_, i) => -10 * Math.log(1 - (i + 0.5) / 20_000));
    const curve = serviceCurve(1, 1, [{ batchSize: 1, law: { kind: 'empirical', sortedMs } }]);
    const { requests } = simulate({ curve, arrivalPerMs: 0.07 });
    for (const fraction of [0.5, 0.9, 0.99])
      expect(percentOff(requests.quantileMs(fraction), quantileOf(mmcSojourn(0.07, 10, 1).cdf, fraction))).toBeLessThan(
        3,
      );
  });

  it.each([1, 2, 4, 8])('is M/D/c with constant service, c = %i', (replicas) => {
    const arrivalPerMs = (0.8 * replicas) / 10;
    const { requests } = simulate({ curve: oneByOne, replicas, arrivalPerMs });
    const wait = mdcWait(arrivalPerMs, 10, replicas);
    for (const fraction of [0.9, 0.99])
      expect(percentOff(requests.quantileMs(fraction), 10 + quantileOf(wait.cdf, fraction))).toBeLessThan(2);
  });

  it.each([
    [4, 0.3, 0.5],
    [4, 0.3, 0.9],
    [8, 0.7, 0.8],
    [16, 0.1, 0.7],
  ])(
    'has the exact law of one replica with batches up to %i, fixed share %f, load factor %f',
    (cap, fixed, loadFactor) => {
      const curve = affineCurve({ fixedMs: 10 * fixed, perItemMs: 10 * (1 - fixed), maxBatchSize: cap });
      const arrivalPerMs = (loadFactor * cap) / curve.meanMs(cap);
      const { items } = simulate({ curve, maxBatchSize: cap, arrivalPerMs });
      const law = singleReplicaSojourn({ serviceMs: (k) => curve.meanMs(k), maxBatchSize: cap, arrivalPerMs });
      for (const fraction of [0.5, 0.9, 0.99])
        expect(percentOff(items.quantileMs(fraction), quantileOf(law.cdf, fraction))).toBeLessThan(3);
    },
  );

  it('charges a request with the last item of its group', () => {
    const rare = { curve: oneByOne, arrivalPerMs: 1e-5, groupSize: 4 };
    expect(percentOff(simulate(rare, 2000).requests.meanMs, 40)).toBeLessThan(1);
    expect(percentOff(simulate(rare, 2000).items.meanMs, 25)).toBeLessThan(1);
    expect(percentOff(simulate({ ...rare, replicas: 2 }, 2000).requests.meanMs, 20)).toBeLessThan(1);
  });

  it('counts a split group done when its slowest batch is', () => {
    const curve = affineCurve({ fixedMs: 1, perItemMs: 10, maxBatchSize: 4 });
    const { requests } = simulate({ curve, arrivalPerMs: 1e-6, groupSize: 5, replicas: 2, maxBatchSize: 4 }, 2000);
    expect(percentOff(requests.meanMs, 41)).toBeLessThan(1);
  });

  it('keeps the rate of a CPU share exactly', () => {
    const half = affineCurve({ fixedMs: 0, perItemMs: 200, maxBatchSize: 1, cpuCores: 0.5 });
    const arrivedAtMs = new Float64Array(200);
    const run = { curve: half, replicas: 1, maxBatchSize: 1, burstMs: 50, warmUp: 0, arrivedAtMs };
    const { requests } = runStage({ ...run, itemsOf: new Uint16Array(200).fill(1) }, new SeededRng(1));
    expect(percentOff(requests.maxMs, 200 * 400 - 200 - 100)).toBeLessThan(0.1);
  });

  it.each([
    ['a whole core', 1, {}],
    ['a CPU share', 0.5, {}],
    ['a CPU quota', 0.5, { dispatchCores: 1, quota: { periodMs: 100, networkMs: 0 } }],
  ])('agrees with the full simulator for %s', (_, cpuCores, rule) => {
    const curve = { ...affineCurve({ fixedMs: 12, perItemMs: 6, maxBatchSize: 4, cpuCores }), ...rule };
    const arrivalPerMs = 0.75 * cpuCores * 2 * (4 / 36);
    const micro = simulate({ curve, replicas: 2, maxBatchSize: 4, arrivalPerMs }, 150_000).requests;
    const full = new LatencyHistogram();
    const stage = { variantId: variantId('v'), maxBatchSize: 4, maxBatchWaitMs: 0, replicas: 2, trafficFraction: 1 };
    const plan = [{ ...stage, resources: { cpuCores, memoryBytes: 0, gpus: 0 } }];
    const predicted = { latencyMs: 0, percentile: 99, pas: 1, capacityRps: 1, cpuCores: 1, costPerHour: 1 };
    const rng = new SeededRng(5);
    simulatePlan({
      spec: pipeline([modelStage('a')], [], ['a']),
      curves: { kind: 'curves', warnings: [], curve: () => curve },
      plan: { stages: { [stageId('a')]: plan }, predicted },
      arrivals: poissonArrivals(1000 * arrivalPerMs, 150_000 / arrivalPerMs, rng.fork('arrivals')),
      rng,
      hostCores: Number.POSITIVE_INFINITY,
      drops: false,
      onEnd: ({ latencyMs }) => full.record(latencyMs ?? Number.POSITIVE_INFINITY),
    });
    for (const fraction of [0.5, 0.9, 0.99])
      expect(percentOff(micro.quantileMs(fraction), full.quantileMs(fraction))).toBeLessThan(4);
  });

  it('draws the same for the same seed', () => {
    const of = { curve: oneByOne, arrivalPerMs: 0.05 };
    expect(simulate(of, 1000).requests.meanMs).toBe(simulate(of, 1000).requests.meanMs);
  });
});

/** Corrections are fitted to batches of the simulator itself, which knows the parameters that the fit must find. */
import { describe, expect, it } from 'vitest';
import { SeededRng } from '../kernel/rng.js';
import { stageId, variantId } from '../model/ids.js';
import type { PipelineSpec } from '../model/pipeline-spec.js';
import type { ProfileSet } from '../model/profile-point.js';
import type { ServiceCorrection } from '../model/service-correction.js';
import { chainSpec, planOf } from '../model/spec-builders.test-support.js';
import { useClassCount } from '../profile/corrected-service.js';
import { fitCorrections, type TimedBatch } from '../profile/fit-corrections.js';
import { spreadFractions, spreadMean } from '../profile/quantile-spread.js';
import { usableCores } from '../profile/recent-use.js';
import { requireCurves } from '../profile/service-curves.js';
import { poissonArrivals } from './arrivals/constant-rate.js';
import { simulatePlan } from './simulate-plan.js';

const points = [1, 2, 4].map((batchSize) => ({ cpuCores: 1, batchSize, meanMs: 2 + 3 * batchSize }));
const chain = chainSpec({ a: points });
/** With a share, too, which has the points of one core. */
const spec: PipelineSpec = {
  ...chain,
  stages: chain.stages.map((stage) => ({
    ...stage,
    variants: stage.variants.map((variant) => ({ ...variant, cpuCores: [0.5, 1] })),
  })),
};
const HOST_CORES = 2;

const known = (value: number) => ({ value, halfWidth: 0 });
/** Factors from 0.8 to 1.2, mean 1. */
const spread = spreadFractions.map((fraction) => 0.8 + 0.4 * fraction);

function correction(changed: Partial<ServiceCorrection>): ServiceCorrection {
  return {
    handOverMs: known(0),
    inflation: known(0),
    loadInflation: known(0),
    contention: known(0),
    usual: { recentUse: 0.8, otherBatches: 0.8 },
    spread: Array.from({ length: useClassCount }, () => spread),
    bunching: { correlation: 0, memoryMs: 1 },
    usualFactor: 1,
    cpuFraction: 1,
    batches: 1000,
    ...changed,
  };
}

const profilesWith = (of: ServiceCorrection | undefined): ProfileSet => [
  { stageId: stageId('a'), variantId: variantId('v'), points, loadMs: 0, correction: of },
];

interface Run {
  readonly batches: readonly TimedBatch[];
  readonly latenciesMs: readonly number[];
}

interface RunAt {
  readonly arrivalRps: number;
  readonly seed: number;
  readonly cpuCores?: number;
}

function run(of: ServiceCorrection | undefined, { cpuCores = 1, ...at }: RunAt): Run {
  const batches: TimedBatch[] = [];
  const latenciesMs: number[] = [];
  const profiled = requireCurves(spec, profilesWith(undefined));
  const rng = new SeededRng(at.seed);
  simulatePlan({
    spec,
    plan: planOf(spec, { maxBatchSize: 4, replicas: 2, cpuCores }),
    curves: requireCurves(spec, profilesWith(of)),
    arrivals: poissonArrivals(at.arrivalRps, 20_000, rng.fork('arrivals')),
    rng,
    hostCores: HOST_CORES,
    drops: false,
    onBatch: ({ batch }, { nowMs, serviceMs }) => {
      const profiledMs = profiled.curve(stageId('a'), variantId('v'), 1)?.meanMs(batch.length) ?? Number.NaN;
      const size = { batchSize: batch.length, startedAtMs: nowMs, ms: serviceMs, profiledMs };
      batches.push({ stageId: stageId('a'), variantId: variantId('v'), ...size });
    },
    onEnd: ({ latencyMs }) => latenciesMs.push(latencyMs ?? Number.POSITIVE_INFINITY),
  });
  return { batches, latenciesMs };
}

const RATES = [40, 100, 160, 220, 280];
const quantile = (values: readonly number[], fraction: number): number =>
  [...values].sort((a, b) => a - b)[Math.floor(fraction * (values.length - 1))] as number;

function fitted(truth: ServiceCorrection, seed: number): ServiceCorrection {
  const segments = RATES.map((arrivalRps, index) => run(truth, { arrivalRps, seed: 100 * seed + index }).batches);
  const [found] = fitCorrections({ segments, usableCores: usableCores(HOST_CORES, 2) });
  if (found === undefined) throw new Error('nothing was fitted');
  return found.correction;
}

describe.each([1, 2, 3])('fitted to 100 s of simulated service, seed %i', (seed) => {
  const truth = correction({
    handOverMs: known(1.5),
    inflation: known(0.2),
    loadInflation: known(-0.3),
    contention: known(0.25),
  });
  const found = fitted(truth, seed);

  it('finds hand-over to ± 0.7 ms, inflation to ± 0.12, contention to ± 0.06', () => {
    expect(Math.abs(found.handOverMs.value - 1.5)).toBeLessThan(0.7);
    expect(Math.abs(found.inflation.value - 0.2)).toBeLessThan(0.12);
    expect(Math.abs(found.loadInflation.value + 0.3)).toBeLessThan(0.12);
    expect(Math.abs(found.contention.value - 0.25)).toBeLessThan(0.06);
  });

  it('says how uncertain that is: the truth lies within twice the interval', () => {
    for (const name of ['handOverMs', 'inflation', 'loadInflation', 'contention'] as const) {
      const { value, halfWidth } = found[name];
      expect(halfWidth).toBeGreaterThan(0);
      expect(Math.abs(value - truth[name].value)).toBeLessThan(2 * halfWidth);
    }
  });

  it.each([
    [0.5, 0.05],
    [0.99, 0.12],
  ])('simulates a load that it did not see: quantile %d to ± %d', (fraction, tolerance) => {
    const at = { arrivalRps: 190, seed: 7 * seed };
    const [served, simulated] = [run(truth, at).latenciesMs, run(found, { ...at, seed: 11 * seed }).latenciesMs];
    expect(Math.abs(quantile(simulated, fraction) / quantile(served, fraction) - 1)).toBeLessThan(tolerance);
  });
});

describe('a correction', () => {
  it('is nothing where service is as profiled', () => {
    const found = fitted(correction({}), 4);
    expect(Math.abs(found.handOverMs.value)).toBeLessThan(0.5);
    expect(Math.abs(found.inflation.value + 0.8 * found.loadInflation.value)).toBeLessThan(0.06);
    expect(found.contention.value).toBeLessThan(0.03);
  });

  it('finds that slow batches come together', () => {
    const truth = correction({ bunching: { correlation: 0.6, memoryMs: 200 } });
    const { bunching } = fitted(truth, 5);
    expect(bunching.correlation).toBeGreaterThan(0.4);
    expect(bunching.correlation).toBeLessThan(0.8);
    expect(bunching.memoryMs).toBeGreaterThan(70);
    expect(bunching.memoryMs).toBeLessThan(600);
    expect(fitted(correction({}), 5).bunching.correlation).toBeLessThan(0.1);
  });

  it('tells pauses from factors', () => {
    const pauses = { perMs: 0.002, lengthsMs: spreadFractions.map((fraction) => 10 + 20 * fraction) };
    const found = fitted(correction({ pauses }), 6);
    expect(found.pauses?.perMs).toBeGreaterThan(0.0014);
    expect(found.pauses?.perMs).toBeLessThan(0.0026);
    expect(spreadMean(found.pauses?.lengthsMs ?? [])).toBeGreaterThan(17);
    expect(spreadMean(found.pauses?.lengthsMs ?? [])).toBeLessThan(23);
    for (const factors of found.spread) expect(factors.at(-1)).toBeLessThan(2);
  });

  it('charges CPU shares the CPU time, measured or else that of the profile', () => {
    const of = (cpuFraction: number) => correction({ handOverMs: known(5), cpuFraction });
    const completed = (cpuFraction: number) => {
      const latenciesMs = run(of(cpuFraction), { arrivalRps: 240, seed: 1, cpuCores: 0.5 }).latenciesMs;
      return quantile(latenciesMs, 0.5);
    };
    expect(completed(0.5)).toBeLessThan(completed(1) / 3);
    const { batches } = run(of(1), { arrivalRps: 20, seed: 2 });
    const fit = (timed: readonly TimedBatch[]) =>
      fitCorrections({ segments: [timed], usableCores: 2 })[0]?.correction.cpuFraction;
    expect(fit(batches)).toBeGreaterThan(0.4);
    expect(fit(batches)).toBeLessThan(0.6);
    expect(fit(batches.map((batch) => ({ ...batch, cpuMs: 0.8 * batch.ms })))).toBeCloseTo(0.8, 9);
  });

  it('needs 100 batches of a variant', () => {
    const { batches } = run(undefined, { arrivalRps: 100, seed: 1 });
    expect(fitCorrections({ segments: [batches.slice(0, 99)], usableCores: 2 })).toEqual([]);
    expect(fitCorrections({ segments: [batches.slice(0, 100)], usableCores: 2 })).toHaveLength(1);
  });

  it('slows plans and estimates as on a loaded host, simulations by the state of the host', () => {
    const slower = correction({
      handOverMs: known(2),
      contention: known(0.5),
      usual: { recentUse: 0.9, otherBatches: 1 },
    });
    const curve = requireCurves(spec, profilesWith(slower)).curve(stageId('a'), variantId('v'), 1);
    // 5 ms profiled: 2 + 5 · 1.5.
    expect(curve?.meanMs(1)).toBeCloseTo(9.5, 6);
    const alone = run(slower, { arrivalRps: 2, seed: 1 }).batches.map(({ ms }) => ms);
    expect(quantile(alone, 0.5)).toBeCloseTo(7, 0);
  });
});

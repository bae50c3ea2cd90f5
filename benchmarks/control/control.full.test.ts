/** A small form of the comparison: one stage, a step and a steady load. */
import { verifiersOf } from '@equipoise/core/simulate';
import { describe, expect, it } from 'vitest';
import { smallOrLargeSpec } from '../../packages/core/src/model/spec-builders.test-support.js';
import { barsOf, type LoadResult } from './bars.js';
import { type ControllerName, runCell } from './cell.js';
import { fluidMinimum } from './fluid-minimum.js';
import type { ControlLoad } from './loads.js';
import { curvesOf, largestRate, middleFloor, planAt, specFor } from './pipelines.js';
import { controlReport } from './report.js';

const PEAK_RPS = 100;
const STEP_AT_S = 123;
const DURATION_S = 180;

const control = { mode: 'auto', intervalMs: 10_000, fastIntervalMs: 1000, minDwellMs: 30_000 } as const;
const prices = { cpuCorePerHour: 1, memoryGibPerHour: 0, gpuPerHour: 0 };
const spec = specFor({ ...smallOrLargeSpec(), control, prices, budget: {} }, 'min-cost', PEAK_RPS);
const verifierAt = verifiersOf({
  ...{ spec, curves: curvesOf(spec), hostCores: Number.POSITIVE_INFINITY, seed: 1, workStageRequests: 20_000 },
});

const rateAt = (second: number) => (second < STEP_AT_S ? 10 : PEAK_RPS);
const step: ControlLoad = {
  ...{ name: 'step-10x', kind: 'jumping' },
  spec: { kind: 'step', fromRps: 10, toRps: PEAK_RPS, atS: STEP_AT_S, durationS: DURATION_S },
  ratesRps: Array.from({ length: DURATION_S }, (_, second) => rateAt(second)),
};
const run = (controller: ControllerName) => runCell({ spec, load: step, controller, verifierAt, seed: 1 });

describe('the fluid minimum', () => {
  const bounds = { capacityFor: (rps: number) => rps + 5, largestRps: 60, loadMs: 500 };

  it('is what exceeds the capacity planned before until replicas can be there, and the largest possible from then on', () => {
    const rates = [10, 10, 50, 50, 50, 10, 10];
    expect(fluidMinimum(rates, 0, bounds)).toBeCloseTo(1.5 * (50 - 15), 9);
    expect(fluidMinimum([10, 80, 80, 80], 0, bounds)).toBeCloseTo(1.5 * (80 - 15) + 1.5 * (80 - 60), 9);
    expect(fluidMinimum([...rates, ...rates], 0, bounds)).toBeCloseTo(2 * 1.5 * (50 - 15), 9);
  });

  it('counts only requests that cannot be served within the time that they can wait', () => {
    const minimumWith = (waitMs: number) => fluidMinimum([10, 10, 50, 50, 50, 10, 10], 0, { ...bounds, waitMs });
    // With 500 ms, 7.5 requests wait after a second, and 25 after 1.5 s, when 60 rps can serve them.
    expect(minimumWith(500)).toBeCloseTo(1.5 * (50 - 15) - 25, 6);
    expect(minimumWith(1000)).toBeCloseTo(0.5 * (50 - 15) - 15, 6);
    expect(minimumWith(2000)).toBe(0);
  });

  it('leaves out what lies before the measured time, and is 0 where nothing jumps', () => {
    expect(fluidMinimum([10, 50, 50, 10, 10, 50, 50], 4, bounds)).toBeCloseTo(1.5 * 35, 9);
    expect(fluidMinimum([10, 10, 10], 0, bounds)).toBe(0);
  });
});

describe('the comparison in small', () => {
  it('gives a budget of which the peak needs four fifths at the floor of the middle variants', () => {
    expect(planAt(spec, PEAK_RPS).predicted.cpuCores).toBeCloseTo(0.8 * (spec.budget.cpuCores ?? 0), 9);
    expect(spec.objective).toEqual({ kind: 'min-cost', accuracyFloor: middleFloor(spec) });
    expect(largestRate(spec, 1)).toBeGreaterThan(PEAK_RPS);
  });

  it('loses less at a step than without its fast loop, and more than one who knows', () => {
    const [ours, without, clairvoyant] = [run('equipoise'), run('no-fast-loop'), run('clairvoyant')];
    expect(ours.lost).toBeLessThan(0.7 * without.lost);
    expect(clairvoyant.lost).toBeLessThan(ours.lost);
    expect(ours.protections).toBeGreaterThan(0);
    expect(without.protections).toBe(0);
  });

  it('answers the same question in the same way, and tells the bars', () => {
    const figures = run('equipoise');
    expect(run('equipoise')).toEqual(figures);
    const name = { pipeline: 'small', mode: 'min-cost', load: 'step-10x', seed: 1 } as const;
    const base = { ...name, kind: 'jumping', budgetCores: 1 } as const;
    const missed: LoadResult = { ...base, fluidMinimum: figures.lost / 2, cells: { equipoise: figures } };
    const met: LoadResult = { ...base, fluidMinimum: figures.lost, cells: { equipoise: figures } };
    expect([missed, met].flatMap(barsOf).map((bar) => bar.met)).toEqual([false, true]);
    const text = controlReport({ made: 'here', results: [missed, { ...met, seed: 2 }] });
    expect(text).toContain('1 of 2 bars are met');
    expect(text).toContain('**missed**');
    expect(text.split('# Other seeds')[1]).toMatch(/\| 2 \| small \| min-cost \| step-10x \| lost .* \| met \|/);
  });
});

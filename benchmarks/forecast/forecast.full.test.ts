/** Small comparison: a synthetic trace of nine hours with a slow wave, noise and gaps. The LSTM, which takes most of the time, runs once. */
import { forecastMethods } from '@equipoise/core/forecast';
import { SeededRng } from '@equipoise/core/model';
import { beforeAll, describe, expect, it } from 'vitest';
import { type Accuracy, accuracyOf } from './accuracy.js';
import { accuracyBars, bestSimple, selectedMethod } from './bars.js';
import { forecastReport } from './report.js';

const SECONDS = 32_400;
const TRAIN_S = 21_600;

/** Requests per second around a wave of two hours, with a gap of 300 s every three hours. */
function trace(): readonly number[] {
  const rng = new SeededRng(5);
  return Array.from({ length: SECONDS }, (_, second) => {
    const noise = rng.next() + rng.next() + rng.next() + rng.next() - 2;
    if (second % 10_800 >= 10_000 && second % 10_800 < 10_300) return 0;
    return Math.max(0, Math.round(140 + 80 * Math.sin((2 * Math.PI * second) / 7200) + 40 * noise));
  });
}

const question = { counts: trace(), trainS: TRAIN_S, scale: 1 / 8, seed: 1, methods: forecastMethods };
const quick = { ...question, keepZeros: true, methods: forecastMethods.filter(({ name }) => name !== 'lstm') };

describe('the comparison of forecasters in small', () => {
  let removed: Accuracy;
  let kept: Accuracy;
  beforeAll(() => {
    removed = accuracyOf({ ...question, keepZeros: false });
    kept = accuracyOf(quick);
  }, 1_200_000);

  it('selects, before the test, a method that is better by its quantile than the best simple one', () => {
    for (const accuracy of [removed, kept]) {
      const best = bestSimple(accuracy, 'pinballLoss');
      expect(selectedMethod(accuracy).pinballLoss).toBeLessThan(best.pinballLoss);
    }
  });

  it('has figures by day and by tercile that add up to those of all', () => {
    const { inForce, forecasts } = removed;
    expect(forecasts).toBeGreaterThan(960);
    expect(inForce.coverageByDay).toHaveLength(1);
    expect(inForce.coverageByDay[0]).toBeCloseTo(inForce.coverageFraction, 12);
    const mean = inForce.coverageByTercile.reduce((sum, value) => sum + value, 0) / 3;
    expect(Math.abs(mean - inForce.coverageFraction)).toBeLessThan(0.02);
    expect(inForce.coverageFraction).toBeGreaterThan(0.9);
  });

  it('is told in full: all methods, all bars, the missed ones too', () => {
    const poor = { ...removed, selected: 'window-mean' };
    const text = forecastReport({ accuracy: { made: 'here', figures: [removed, kept, poor] } });
    for (const { name } of forecastMethods) expect(text).toContain(`| ${name}`);
    expect(accuracyBars(removed)).toHaveLength(6);
    expect(accuracyBars(kept)).toHaveLength(2);
    expect(accuracyBars(poor).some(({ met }) => !met)).toBe(true);
    expect(text).toContain('**missed**');
  });

  it('holds the selected method to LightGBM where that was measured', () => {
    const { pinballLoss } = selectedMethod(removed);
    const against = (loss: number): Accuracy => ({
      ...removed,
      lightGbm: { version: '0', pinballLoss: loss, roundedLosses: [loss, pinballLoss], coverageFraction: 0.95 },
    });
    expect(accuracyBars(against(pinballLoss)).at(-1)).toMatchObject({ met: true });
    expect(accuracyBars(against(0.99 * pinballLoss)).at(-1)).toMatchObject({ met: false });
    const figures = [{ load: 'a wave', accuracy: against(pinballLoss / 2) }];
    expect(forecastReport({ loads: { made: 'here', figures } })).toContain('In all: 2.000 × the loss of LightGBM');
  });

  it('answers the same question in the same way', () => {
    expect(accuracyOf(quick)).toEqual(kept);
  });
});

import { describe, expect, it } from 'vitest';
import { dispersionOf, meanOf } from '../../packages/core/src/kernel/count-statistics.js';
import { fitModel } from './fit-model.js';
import { countsOf, type LoadModel } from './load-model.js';
import { blockSums, loadStatistics } from './load-statistics.js';

const flat: LoadModel = { durationS: 20_000, seed: 1, levelRps: 20, dispersion: 0.5, driftFraction: 0, bursts: [] };
const burst = { heightRps: 20, riseAtS: 5000, riseS: 5, fallAtS: 10_000, fallS: 50 };

describe('load model', () => {
  it('has the level and the dispersion it says, and the twelfth that rounding adds', () => {
    const counts = countsOf(flat);
    expect(Math.abs(meanOf(counts) - 20)).toBeLessThan(4 * Math.sqrt(10 / 20_000));
    expect(Math.abs(dispersionOf(counts) / (0.5 + 1 / 240) - 1)).toBeLessThan(4 * Math.sqrt(2 / 20_000));
  });

  it('drifts from one ten seconds to the next', () => {
    const sums = blockSums(countsOf({ ...flat, driftFraction: 0.1 }), 10);
    // Variance of a sum of ten seconds: ten times the variance of a second, plus a hundred times that of the drift of 2
    // rps.
    expect(Math.abs(dispersionOf(sums) / ((10 * (10 + 1 / 12) + 400) / 200) - 1)).toBeLessThan(4 * Math.sqrt(2 / 2000));
  });

  it('rises and falls with its bursts', () => {
    const [before, during, after] = blockSums(countsOf({ ...flat, bursts: [burst] }).slice(0, 15_000), 5000);
    expect((before ?? 0) / 5000).toBeCloseTo(20, 0);
    expect((during ?? 0) / 5000).toBeCloseTo(40, 0);
    expect((after ?? 0) / 5000).toBeCloseTo(20, 0);
  });

  it('is fitted to the figures of another', () => {
    const hidden = { ...flat, ...{ durationS: 1200, seed: 2, bursts: [{ ...burst, riseAtS: 300, fallAtS: 700 }] } };
    const start = {
      ...hidden,
      seed: 3,
      levelRps: 15,
      bursts: [{ ...burst, heightRps: 14, riseAtS: 200, fallAtS: 500 }],
    };
    const wanted = loadStatistics(countsOf(hidden));
    const found = loadStatistics(countsOf(fitModel(start, wanted, 400)));
    expect(found.meanRps / wanted.meanRps).toBeCloseTo(1, 1);
    expect(found.stdRps / wanted.stdRps).toBeCloseTo(1, 1);
    expect(fitModel(start, wanted, 20)).toEqual(fitModel(start, wanted, 20));
  });
});

import { describe, expect, it } from 'vitest';
import { peakSeries, trainingPeaks } from './peak-series.js';

const rules = { binS: 2, scale: 1, keepZeros: false };

describe('peakSeries', () => {
  it('takes out zeros before it bins, and knows where in the trace a bin begins', () => {
    const { maximaRps, startS } = peakSeries([3, 0, 5, 0, 0, 1, 2, 9], rules);
    expect(Array.from(maximaRps)).toEqual([5, 2]);
    expect(Array.from(startS)).toEqual([0, 5]);
  });

  it('keeps zeros where asked to', () => {
    expect(Array.from(peakSeries([3, 0, 5, 0, 0, 0, 2], { ...rules, keepZeros: true }).maximaRps)).toEqual([3, 5, 0]);
  });

  it('scales and rounds down, and a count that becomes 0 is one', () => {
    expect(Array.from(peakSeries([15, 16, 7, 40, 8], { ...rules, scale: 0.125 }).maximaRps)).toEqual([2, 5]);
  });

  it('takes a second that is no count for a second without a measurement', () => {
    const counts = [3, Number.NaN, 5, -1, Number.POSITIVE_INFINITY, 4, 6];
    expect(Array.from(peakSeries(counts, { ...rules, keepZeros: true }).maximaRps)).toEqual([5, 6]);
  });
});

describe('trainingPeaks', () => {
  const task = { binS: 10, lags: 1, horizonBins: 2, upperFraction: 0.9 };

  it('has as targets the peaks that are known to the end of their horizon', () => {
    expect(Array.from(trainingPeaks(Float64Array.of(1, 4, 2, 3), task).targetsRps)).toEqual([4, 4, 3]);
    expect(trainingPeaks(Float64Array.of(1), task).targetsRps).toHaveLength(0);
  });
});

import { describe, expect, it } from 'vitest';
import type { ForecastMethod } from '../forecast-method.js';
import { beginBacktest, meanLoss, observeMaximum, type RollingBacktest, selectedForecast } from './rolling-backtest.js';

const task = { binS: 10, lags: 2, horizonBins: 2, upperFraction: 0.9 };

/** A method whose forecast depends only on the number of bins it saw. */
const constant = (name: string, upperOf: (seen: number) => number): ForecastMethod => ({
  name,
  beginFit: () => ({ doneSteps: 0, totalSteps: 0, weights: undefined }),
  fitStep: (fit) => fit,
  begin: () => 0,
  observe: (_weights, seen) => (seen as number) + 1,
  predict: (_weights, seen) => ({ pointRps: upperOf(seen as number) / 2, upperRps: upperOf(seen as number) }),
});

const named = (...methods: readonly ForecastMethod[]) => new Map(methods.map((method) => [method.name, method]));
const entrants = (methods: ReadonlyMap<string, ForecastMethod>) =>
  [...methods.keys()].map((method) => ({ method, weights: undefined }));

function rolled(methods: ReadonlyMap<string, ForecastMethod>, maxima: readonly number[]): RollingBacktest {
  const start = beginBacktest({ task, forecasters: entrants(methods) }, methods);
  return maxima.reduce((backtest, maximum) => observeMaximum(backtest, maximum, methods), start);
}

const lossesOf = ({ entries }: RollingBacktest) => entries.map(({ score }) => meanLoss(score));

describe('rolling backtest', () => {
  it('scores a forecast when its horizon is over, against the largest maximum in it', () => {
    const methods = named(constant('twenty', () => 20));
    // The first forecast is for bins 10 and 30: its loss is 0.9·10. The second is for bins 30 and 12.
    expect(lossesOf(rolled(methods, [10]))).toEqual([Number.POSITIVE_INFINITY]);
    expect(lossesOf(rolled(methods, [10, 30]))).toEqual([expect.closeTo(9, 12)]);
    expect(lossesOf(rolled(methods, [10, 30, 12, 15]))).toEqual([expect.closeTo((9 + 9 + 0.1 * 5) / 3, 2)]);
  });

  it('puts the method with the least loss in force', () => {
    const methods = named(
      constant('low', () => 5),
      constant('fitting', () => 21),
      constant('high', () => 80),
    );
    expect(selectedForecast(rolled(methods, [20])).method).toBe('low');
    expect(selectedForecast(rolled(methods, [20, 20]))).toEqual({ method: 'fitting', pointRps: 10.5, upperRps: 21 });
  });

  it('does not change for a method that is hardly better', () => {
    const methods = named(
      constant('present', () => 30),
      constant('hardly', () => 29.9),
      constant('clearly', () => 29),
    );
    const two = named(
      constant('present', () => 30),
      constant('hardly', () => 29.9),
    );
    expect(selectedForecast(rolled(two, [20, 20, 20])).method).toBe('present');
    expect(selectedForecast(rolled(methods, [20, 20, 20])).method).toBe('clearly');
  });

  it('passes over a method that foretells no count, and returns to it', () => {
    const methods = named(
      constant('other', () => 40),
      constant('failing', (seen) => (seen === 4 ? Number.NaN : 21)),
    );
    expect(selectedForecast(rolled(methods, [20, 20, 20])).method).toBe('failing');
    expect(selectedForecast(rolled(methods, [20, 20, 20, 20])).method).toBe('other');
    const after = rolled(methods, [20, 20, 20, 20, 20, 20, 20]);
    expect(selectedForecast(after).method).toBe('failing');
    expect(lossesOf(after).every(Number.isFinite)).toBe(true);
  });

  it('takes a maximum that is no count for a bin without a measurement', () => {
    const methods = named(constant('twenty', () => 20));
    const before = rolled(methods, [10, 12]);
    for (const value of [Number.NaN, -1, Number.POSITIVE_INFINITY]) {
      expect(observeMaximum(before, value, methods)).toBe(before);
    }
  });

  it('foretells 0 without any method', () => {
    expect(selectedForecast(rolled(new Map(), [10]))).toEqual({ method: 'none', pointRps: 0, upperRps: 0 });
  });

  it('goes on with a history and the scores of another backtest, which survive JSON', () => {
    const methods = named(
      constant('low', () => 5),
      constant('fitting', () => 21),
    );
    const earlier = JSON.parse(JSON.stringify(rolled(methods, [20, 20, 20]))) as RollingBacktest;
    const scores = new Map(earlier.entries.map(({ method, score }) => [method, score]));
    const start = { task, forecasters: entrants(methods), scores, historyRps: [20, 20, Number.NaN, 20] };
    const resumed = beginBacktest(start, methods);
    expect(selectedForecast(resumed).method).toBe('fitting');
    expect(resumed.entries.map(({ memory }) => memory)).toEqual([3, 3]);
    expect(observeMaximum(resumed, 20, methods).recentRps).toEqual([20, 20]);
  });
});

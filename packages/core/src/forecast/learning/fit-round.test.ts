import { expect, it } from 'vitest';
import { meanLoss } from '../backtest/rolling-backtest.js';
import { pinballLoss } from '../forecast-errors.js';
import type { ForecastMethod } from '../forecast-method.js';
import { beginRound, type RoundStep, roundStep } from './fit-round.js';

const task = { binS: 10, lags: 2, horizonBins: 2, upperFraction: 0.9 };

/**
 * Method that forecasts its largest training value, but a quantile of 0 from bin 100 on. Adds the bins of each step to
 * `seen`.
 */
function largest(seen: number[]): ForecastMethod<number, number> {
  return {
    name: 'largest',
    beginFit: () => ({ doneSteps: 0, totalSteps: 2, weights: 0 }),
    fitStep: ({ doneSteps }, { maximaRps }) => {
      seen.push(maximaRps.length);
      return { doneSteps: doneSteps + 1, totalSteps: 2, weights: Math.max(...maximaRps) };
    },
    begin: () => 0,
    observe: (_weights, bins) => bins + 1,
    predict: (weights, bins) => ({ pointRps: weights, upperRps: bins < 100 ? weights : 0 }),
  };
}

it('fits on four fifths, scores on the last fifth that it has not seen, and fits on all, one step at a time', () => {
  const seen: number[] = [];
  const methods = new Map<string, ForecastMethod>([['largest', largest(seen) as ForecastMethod]]);
  const history = [...new Array<number>(80).fill(10), ...new Array<number>(20).fill(30)];
  let step: RoundStep = { kind: 'under-way', round: beginRound(task, history, ['largest']) };
  let steps = 0;
  while (step.kind === 'under-way') {
    step = roundStep(step.round, methods, 1);
    steps += 1;
    expect(seen.length).toBeLessThanOrEqual(steps);
  }
  expect(seen).toEqual([80, 80, 100, 100]);
  expect(step.forecasters).toEqual([{ method: 'largest', weights: 30 }]);
  expect(step.scores.map(meanLoss)).toEqual([expect.closeTo(pinballLoss(30, 10, 0.9), 9)]);
});

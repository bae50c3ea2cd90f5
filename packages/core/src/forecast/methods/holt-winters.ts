/**
 * Additive Holt-Winters (Winters 1960; Hyndman and Athanasopoulos, Forecasting: Principles and Practice, 8.3) with
 * level, slope and daily season. With value x in slot k of the day:
 *
 * level′ = α·(x − season[k]) + (1 − α)·(level + slope)
 *
 * slope′ = β·(level′ − level) + (1 − β)·slope
 *
 * season[k] ← γ·(x − level − slope) + (1 − γ)·season[k]
 *
 * A slot is a quarter of an hour, because single bins are too noisy. The peak is the largest forecast within the
 * horizon. Two factors correct the peak to median and quantile, because the maximum of noisy values exceeds their
 * mean.
 */
import { pinballLoss } from '../forecast-errors.js';
import type { Fitting, ForecastMethod } from '../forecast-method.js';
import type { TrainingPeaks } from '../peak-series.js';
import { quantileFactor } from './upper-factor.js';

/** Smoothing weights, 0 to 1. */
export interface Smoothing {
  readonly level: number;
  readonly slope: number;
  readonly season: number;
}

export interface HoltWintersWeights {
  readonly smoothing: Smoothing;
  readonly pointFactor: number;
  readonly upperFactor: number;
  readonly binsPerSlot: number;
  readonly slots: number;
  readonly horizonBins: number;
}

export interface HoltWintersMemory {
  readonly bins: number;
  readonly level: number;
  readonly slope: number;
  readonly season: readonly number[];
}

interface HoltWintersFit extends Fitting<HoltWintersWeights> {
  readonly loss?: number;
}

const DAY_S = 86_400;
const SLOT_S = 900;

const GRID: readonly Smoothing[] = [0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8].flatMap((level) =>
  [0, 0.01, 0.05].flatMap((slope) => [0, 0.01, 0.1].map((season) => ({ level, slope, season }))),
);

/** Trained in one step per grid combination, by the pinball loss of its quantile. */
export const holtWinters: ForecastMethod<HoltWintersWeights, HoltWintersMemory, HoltWintersFit> = {
  name: 'holt-winters',
  beginFit: ({ task: { binS, horizonBins } }) => ({
    doneSteps: 0,
    totalSteps: GRID.length,
    weights: {
      smoothing: { level: 0.5, slope: 0, season: 0 },
      pointFactor: 1,
      upperFactor: 1,
      horizonBins,
      binsPerSlot: Math.max(1, Math.round(SLOT_S / binS)),
      slots: Math.max(1, Math.round(DAY_S / Math.max(SLOT_S, binS))),
    },
  }),
  fitStep: (fit, training) => {
    const { upperFraction } = training.task;
    const weights = { ...fit.weights, smoothing: GRID[fit.doneSteps] as Smoothing };
    const examples = expectedPeaks(weights, training);
    const upperFactor = quantileFactor(examples, upperFraction);
    let loss = 0;
    for (let i = 0; i < examples.pointsRps.length; i++) {
      loss += pinballLoss(
        examples.targetsRps[i] as number,
        upperFactor * (examples.pointsRps[i] as number),
        upperFraction,
      );
    }
    const doneSteps = fit.doneSteps + 1;
    if (examples.pointsRps.length === 0 || loss >= (fit.loss ?? Number.POSITIVE_INFINITY)) return { ...fit, doneSteps };
    const pointFactor = quantileFactor(examples, 0.5);
    return { ...fit, doneSteps, loss, weights: { ...weights, pointFactor, upperFactor } };
  },
  begin: ({ slots }) => ({ bins: 0, level: 0, slope: 0, season: new Array<number>(slots).fill(0) }),
  observe: (weights, memory, maximumRps) => {
    const season = [...memory.season];
    return { ...smooth({ ...memory, season }, maximumRps, weights), season };
  },
  predict: (weights, memory) => {
    const peakRps = expectedPeak(memory, weights);
    return { pointRps: weights.pointFactor * peakRps, upperRps: weights.upperFactor * peakRps };
  },
};

interface SmoothingState {
  readonly bins: number;
  readonly level: number;
  readonly slope: number;
  readonly season: number[];
}

/** State after one more value. Changes `season` in place. */
function smooth(
  { bins, level, slope, season }: SmoothingState,
  value: number,
  weights: HoltWintersWeights,
): SmoothingState {
  if (bins === 0) return { bins: 1, level: value, slope: 0, season };
  const { smoothing } = weights;
  const slot = slotOf(bins, weights);
  const seasonal = season[slot] as number;
  const nextLevel = smoothing.level * (value - seasonal) + (1 - smoothing.level) * (level + slope);
  season[slot] = smoothing.season * (value - level - slope) + (1 - smoothing.season) * seasonal;
  return {
    bins: bins + 1,
    level: nextLevel,
    slope: smoothing.slope * (nextLevel - level) + (1 - smoothing.slope) * slope,
    season,
  };
}

function expectedPeak({ bins, level, slope, season }: HoltWintersMemory, weights: HoltWintersWeights): number {
  let peak = 0;
  for (let ahead = 0; ahead < weights.horizonBins; ahead++) {
    peak = Math.max(peak, level + (ahead + 1) * slope + (season[slotOf(bins + ahead, weights)] as number));
  }
  return peak;
}

const slotOf = (bin: number, { binsPerSlot, slots }: HoltWintersWeights): number =>
  Math.floor(bin / binsPerSlot) % slots;

function expectedPeaks(weights: HoltWintersWeights, { task, maximaRps, targetsRps }: TrainingPeaks) {
  const examples = targetsRps.subarray(task.lags);
  const pointsRps = new Float64Array(examples.length);
  let standing: SmoothingState = { bins: 0, level: 0, slope: 0, season: new Array<number>(weights.slots).fill(0) };
  for (let i = 0; i < targetsRps.length; i++) {
    if (i >= task.lags) pointsRps[i - task.lags] = expectedPeak(standing, weights);
    standing = smooth(standing, maximaRps[i] as number, weights);
  }
  return { pointsRps, targetsRps: examples };
}

/** Accuracy on the test part of a trace: all methods and the rolling selection. */
import {
  type ForecastFigures,
  type ForecastMethod,
  forecastFigures,
  forecastTrial,
  type PeakSeries,
  type PeakTask,
  peakSeries,
  type Trial,
  USUAL_PEAK_TASK,
} from '@equipoise/core/forecast';
import { type LightGbmFigures, lightGbmFigures } from './light-gbm.js';
import { DAY_S } from './trace.js';

type JudgedForecasts = Parameters<typeof forecastFigures>[0];

/** Seconds before `trainS` are for training. */
export interface AccuracyQuestion {
  readonly counts: readonly number[];
  readonly trainS: number;
  readonly scale: number;
  readonly keepZeros: boolean;
  readonly seed: number;
  readonly methods: readonly ForecastMethod[];
}

export interface MethodAccuracy extends ForecastFigures {
  readonly name: string;
  /** By day of the trace, counted in raw seconds. */
  readonly coverageByDay: readonly number[];
  /** By tercile of the last known maximum, lowest first. */
  readonly coverageByTercile: readonly number[];
}

export interface Accuracy {
  readonly seed: number;
  readonly keepZeros: boolean;
  readonly forecasts: number;
  /** Method selected when testing began. */
  readonly selected: string;
  /** Selection changes during the test. */
  readonly changes: number;
  readonly methods: readonly MethodAccuracy[];
  readonly inForce: MethodAccuracy;
  readonly lightGbm?: LightGbmFigures | undefined;
}

/** Deterministic. */
export function accuracyOf({ counts, trainS, scale, keepZeros, seed, methods }: AccuracyQuestion): Accuracy {
  const task = USUAL_PEAK_TASK;
  const series = peakSeries(counts, { binS: task.binS, scale, keepZeros });
  const trial = forecastTrial({ task, series, trainS, methods, seed, clock: { nowMs: () => 0 } });
  const parts = { byDay: daysOf(trial, series), byTercile: tercilesOf(trial, series) };
  const figuresOf = (name: string, judged: JudgedForecasts): MethodAccuracy => ({
    name,
    ...forecastFigures(judged, task.upperFraction),
    coverageByDay: parts.byDay.map((positions) => coverageAt(judged, positions, task)),
    coverageByTercile: parts.byTercile.map((positions) => coverageAt(judged, positions, task)),
  });
  return {
    seed,
    keepZeros,
    selected: trial.selected,
    changes: trial.inForce.changes,
    forecasts: trial.testBins.length,
    methods: trial.methods.map((method) => figuresOf(method.name, method)),
    inForce: figuresOf('in force', trial.inForce),
    lightGbm: lightGbmFigures(series, trial, { task, seed }),
  };
}

function coverageAt(judged: JudgedForecasts, positions: readonly number[], { upperFraction }: PeakTask): number {
  return forecastFigures(judged, upperFraction, positions).coverageFraction;
}

function daysOf({ testBins }: Trial, { startS }: PeakSeries): readonly number[][] {
  const days = Array.from(testBins, (bin) => Math.floor((startS[bin] as number) / DAY_S));
  return [...new Set(days)].map((day) => [...days.keys()].filter((position) => days[position] === day));
}

function tercilesOf({ testBins }: Trial, { maximaRps }: PeakSeries): readonly number[][] {
  const lastRps = Array.from(testBins, (bin) => maximaRps[bin - 1] as number);
  const sorted = lastRps.toSorted((a, b) => a - b);
  const [low, high] = [1, 2].map((third) => sorted[Math.floor((third * sorted.length) / 3)] ?? 0) as [number, number];
  const tercileOf = (rps: number): number => (rps <= low ? 0 : rps <= high ? 1 : 2);
  return [0, 1, 2].map((tercile) =>
    [...lastRps.keys()].filter((position) => tercileOf(lastRps[position] as number) === tercile),
  );
}

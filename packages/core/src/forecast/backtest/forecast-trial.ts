/**
 * Trial on a trace. Methods train on the first 80 % of the training part and are scored on its rest. After training on
 * the whole part, they forecast the test part of the trace without seeing the future.
 */
import type { Clock } from '../../kernel/clock.js';
import type { ForecastMethod, TrainedForecaster } from '../forecast-method.js';
import { type PeakForecast, type PeakSeries, type PeakTask, peakTargets, trainingPeaks } from '../peak-series.js';
import type { JudgedForecasts } from './forecast-figures.js';
import {
  beginBacktest,
  type MethodsByName,
  observeMaximum,
  type RollingBacktest,
  selectedForecast,
} from './rolling-backtest.js';

export interface TrialRequest {
  readonly task: PeakTask;
  readonly series: PeakSeries;
  /** Start of the test part; earlier bins are for training. */
  readonly trainS: number;
  readonly methods: readonly ForecastMethod[];
  readonly seed: number;
  readonly clock: Clock;
  readonly onProgress?: (progress: TrialProgress) => void;
}

export interface TrialProgress {
  readonly doneUnits: number;
  readonly totalUnits: number;
  readonly label: string;
}

export interface TriedMethod extends JudgedForecasts {
  readonly name: string;
  readonly weights: unknown;
  readonly fitMs: number;
  readonly predictMs: number;
}

/** Forecast i was made before bin `testBins[i]` for the peak that starts there. */
export interface Trial {
  readonly testBins: Int32Array;
  readonly methods: readonly TriedMethod[];
  readonly selected: string;
  readonly inForce: InForce;
}

export interface InForce extends JudgedForecasts {
  readonly changes: number;
  readonly stepsMs: Float64Array;
}

const VALIDATION_FRACTION = 0.2;
const BINS_PER_UNIT = 1000;
const TIMED_BINS = 300;

interface Parts {
  readonly fitBins: number;
  readonly trainBins: number;
  readonly firstTest: number;
  readonly endTest: number;
}

export function forecastTrial(request: TrialRequest): Trial {
  const { task, series, methods } = request;
  const parts = partsOf(request);
  const { fitBins, trainBins, firstTest, endTest } = parts;
  const advance = progressOf(request, parts);
  const byName: MethodsByName = new Map(methods.map((method) => [method.name, method]));
  const { maximaRps } = series;

  const validated = roll(
    beginBacktest(
      { task, forecasters: fitAll(request, fitBins, advance), historyRps: maximaRps.subarray(0, fitBins) },
      byName,
    ),
    { request, byName, from: fitBins, end: trainBins, advance },
  ).backtest;
  const forecasters = fitAll(request, trainBins, advance);
  const scores = new Map(validated.entries.map(({ method, score }) => [method, score]));
  const begun = beginBacktest({ task, forecasters, scores, historyRps: maximaRps.subarray(0, firstTest) }, byName);
  const tested = roll(begun, { request, byName, from: firstTest, end: endTest, advance });

  const targetsRps = peakTargets(maximaRps, task.horizonBins).subarray(firstTest, endTest);
  return {
    testBins: Int32Array.from({ length: endTest - firstTest }, (_, i) => firstTest + i),
    selected: selectedForecast(begun).method,
    inForce: { ...tested.inForce, targetsRps },
    methods: forecasters.map(({ method, weights, fitMs }, position) => ({
      name: method,
      weights,
      fitMs,
      targetsRps,
      ...(tested.forecasts[position] as Forecasts),
      predictMs: predictMsOf(byName.get(method) as ForecastMethod, weights, { request, firstTest }),
    })),
  };
}

function partsOf({ task, series, trainS }: TrialRequest): Parts {
  const { startS, maximaRps } = series;
  const found = startS.findIndex((second) => second >= trainS);
  const firstTest = found < 0 ? maximaRps.length : found;
  const trainBins = startS[firstTest] === trainS ? firstTest : Math.max(0, firstTest - 1);
  const fitBins = Math.floor((1 - VALIDATION_FRACTION) * trainBins);
  return { fitBins, trainBins, firstTest, endTest: Math.max(firstTest, maximaRps.length - task.horizonBins + 1) };
}

type Advance = (units: number, label: string) => void;

function progressOf({ task, series, methods, seed, onProgress }: TrialRequest, parts: Parts): Advance {
  const { trainBins, fitBins, firstTest, endTest } = parts;
  const steps = [fitBins, trainBins].flatMap((bins) => {
    const training = trainingPeaks(series.maximaRps.subarray(0, bins), task);
    return methods.map((method) => method.beginFit(training, seed).totalSteps);
  });
  const totalUnits =
    steps.reduce((sum, count) => sum + count, 0) +
    [trainBins - fitBins, endTest - firstTest].reduce((sum, bins) => sum + Math.floor(bins / BINS_PER_UNIT), 0);
  let doneUnits = 0;
  return (units, label) => {
    doneUnits += units;
    onProgress?.({ doneUnits, totalUnits, label });
  };
}

interface TimedForecaster extends TrainedForecaster {
  readonly fitMs: number;
}

function fitAll(
  { task, series, methods, seed, clock }: TrialRequest,
  bins: number,
  advance: Advance,
): readonly TimedForecaster[] {
  const training = trainingPeaks(series.maximaRps.slice(0, bins), task);
  return methods.map((method) => {
    const startedAtMs = clock.nowMs();
    let fit = method.beginFit(training, seed);
    while (fit.doneSteps < fit.totalSteps) {
      fit = method.fitStep(fit, training);
      advance(1, `fitting ${method.name}`);
    }
    return { method: method.name, weights: fit.weights, fitMs: clock.nowMs() - startedAtMs };
  });
}

interface Forecasts {
  readonly pointsRps: Float64Array;
  readonly uppersRps: Float64Array;
}

const newForecasts = (length: number): Forecasts => ({
  pointsRps: new Float64Array(length),
  uppersRps: new Float64Array(length),
});

function note({ pointsRps, uppersRps }: Forecasts, place: number, forecast: PeakForecast | undefined): void {
  pointsRps[place] = forecast?.pointRps ?? Number.NaN;
  uppersRps[place] = forecast?.upperRps ?? Number.NaN;
}

interface Stretch {
  readonly request: TrialRequest;
  readonly byName: MethodsByName;
  readonly from: number;
  readonly end: number;
  readonly advance: Advance;
}

function roll(start: RollingBacktest, { request, byName, from, end, advance }: Stretch) {
  const { maximaRps } = request.series;
  const forecasts = start.entries.map(() => newForecasts(end - from));
  const inForce = newForecasts(end - from);
  let backtest = start;
  const stepsMs = new Float64Array(end - from);
  let changes = 0;
  for (let bin = from; bin < end; bin++) {
    for (const [position, entry] of backtest.entries.entries()) {
      note(forecasts[position] as Forecasts, bin - from, entry.pending.at(-1));
    }
    note(inForce, bin - from, selectedForecast(backtest));
    const startedAtMs = request.clock.nowMs();
    const next = observeMaximum(backtest, maximaRps[bin] as number, byName);
    stepsMs[bin - from] = request.clock.nowMs() - startedAtMs;
    if (next.selected !== backtest.selected) changes += 1;
    backtest = next;
    if ((bin - from + 1) % BINS_PER_UNIT === 0) advance(1, 'backtest');
  }
  return { backtest, forecasts, inForce: { ...inForce, changes, stepsMs } };
}

function predictMsOf(
  method: ForecastMethod,
  weights: unknown,
  { request, firstTest }: { readonly request: TrialRequest; readonly firstTest: number },
): number {
  const { series, clock } = request;
  let memory = method.begin(weights);
  const timed = series.maximaRps.subarray(firstTest, firstTest + TIMED_BINS);
  const startedAtMs = clock.nowMs();
  for (const maximumRps of timed) {
    memory = method.observe(weights, memory, maximumRps);
    method.predict(weights, memory);
  }
  return (clock.nowMs() - startedAtMs) / Math.max(1, timed.length);
}

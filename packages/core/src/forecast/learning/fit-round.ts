/**
 * Training round in steps. Each method trains on 80 % of the history, is scored on the rest, and trains again on all.
 */
import {
  beginBacktest,
  type MethodsByName,
  observeMaximum,
  type RollingBacktest,
  type Score,
} from '../backtest/rolling-backtest.js';
import type { Fitting, ForecastMethod, TrainedForecaster } from '../forecast-method.js';
import { type PeakTask, type TrainingPeaks, trainingPeaks } from '../peak-series.js';

export interface FitRound {
  readonly task: PeakTask;
  readonly historyRps: readonly number[];
  readonly methods: readonly string[];
  readonly scores: readonly Score[];
  readonly forecasters: readonly TrainedForecaster[];
  /** Absent between two fits. */
  readonly fit?: Fitting<unknown>;
}

export type RoundStep =
  | { readonly kind: 'under-way'; readonly round: FitRound }
  | { readonly kind: 'done'; readonly forecasters: readonly TrainedForecaster[]; readonly scores: readonly Score[] };

const FIT_FRACTION = 0.8;

export function beginRound(task: PeakTask, historyRps: readonly number[], methods: readonly string[]): FitRound {
  return { task, historyRps, methods, scores: [], forecasters: [] };
}

export function roundStep(round: FitRound, methods: MethodsByName, seed: number): RoundStep {
  const { scores, forecasters } = round;
  const scoring = scores.length < round.methods.length;
  const name = round.methods[scoring ? scores.length : forecasters.length];
  const method = name === undefined ? undefined : methods.get(name);
  if (method === undefined) return { kind: 'done', forecasters, scores };
  const training = trainingOf(round, scoring);
  const fit = round.fit ?? method.beginFit(training, seed);
  if (fit.doneSteps < fit.totalSteps)
    return { kind: 'under-way', round: { ...round, fit: method.fitStep(fit, training) } };
  const { fit: _, ...rest } = round;
  const trained = { method: method.name, weights: fit.weights };
  return {
    kind: 'under-way',
    round: scoring
      ? { ...rest, scores: [...scores, validationScore(round, trained, method)] }
      : { ...rest, forecasters: [...forecasters, trained] },
  };
}

function fitBins({ historyRps }: FitRound): number {
  return Math.floor(FIT_FRACTION * historyRps.length);
}

function trainingOf(round: FitRound, scoring: boolean): TrainingPeaks {
  const seen = scoring ? round.historyRps.slice(0, fitBins(round)) : round.historyRps;
  return trainingPeaks(Float64Array.from(seen), round.task);
}

function validationScore(round: FitRound, trained: TrainedForecaster, method: ForecastMethod): Score {
  const { task, historyRps } = round;
  const methods: MethodsByName = new Map([[method.name, method]]);
  const start = { task, forecasters: [trained], historyRps: historyRps.slice(0, fitBins(round)) };
  let backtest: RollingBacktest = beginBacktest(start, methods);
  for (const maximumRps of historyRps.slice(fitBins(round))) backtest = observeMaximum(backtest, maximumRps, methods);
  return backtest.entries[0]?.score ?? { loss: 0, weight: 0 };
}

/**
 * Forecasts that are learned from the load itself while it is served. The maxima of bins are kept; when there are enough of them all methods
 * that so many can teach are fitted, step by step in the pauses of the loop, and the best by pinball loss foretells from then on. The
 * fits are repeated when the history has doubled or is enough for one more method, and later once a day. State in, state out: a simulated loop learns what a served one
 * would have learned.
 *
 * What is foretold is the peak of the counts; a plan is asked for the rate behind it. No forecast lies below what the last seconds show
 * beyond doubt: a method that has never seen such a rise may not talk it away.
 */
import type { Forecast, LoadObservation } from '../../model/decision.js';
import {
  beginBacktest,
  type MethodsByName,
  observeMaximum,
  type RollingBacktest,
  type Score,
  selectedForecast,
} from '../backtest/rolling-backtest.js';
import type { ForecastMethod, TrainedForecaster } from '../forecast-method.js';
import { type PeakTask, USUAL_PEAK_TASK } from '../peak-series.js';
import { type BinCounts, noCounts, rateBehindPeak, readCounts } from './bin-counts.js';
import { beginRound, type FitRound, roundStep } from './fit-round.js';

/** Methods that may be learned, and the seed of their fits. */
export interface LearningRules {
  readonly methods: readonly ForecastMethod[];
  readonly seed: number;
}

/** What has been learned so far; plain data. */
export interface LoadLearning {
  readonly counts: BinCounts;
  /** Maxima of bins, oldest first, at most a week of them. */
  readonly historyRps: readonly number[];
  /** Bins of history that the last round was fitted on; 0 before the first. */
  readonly fittedBins: number;
  /** Bins seen since that round began. */
  readonly binsSince: number;
  readonly round?: FitRound;
  /** Missing until the first round is done. */
  readonly backtest?: RollingBacktest;
  /** Bins that have to be seen before the last values are those of now; 0 when left out. */
  readonly waitsBins?: number;
}

/** What is worth keeping over a restart: history, weights and their scores. */
export interface LearningSnapshot {
  readonly historyRps: readonly number[];
  readonly fittedBins: number;
  readonly forecasters: readonly TrainedForecaster[];
  readonly scores: readonly Score[];
  /** Position of the method in force. */
  readonly selected: number;
  /** Bins that have to be seen before the history's last values are those of now; 0 when left out. */
  readonly waitsBins?: number;
}

const TASK: PeakTask = USUAL_PEAK_TASK;
const DAY_BINS = 86_400 / TASK.binS;
const KEPT_BINS = 7 * DAY_BINS;
/** An hour. Factors from shorter histories covered 90 % of the peaks where they should cover 95 %. */
const FEWEST_BINS = 360;
/** Bins that a method needs where it learns more than some weights: four hours. */
const FEWEST_BINS_OF: Readonly<Record<string, number>> = { 'lag-network': 1440, lstm: 1440 };
/** Seconds whose mean is beyond doubt what arrives now, less two standard errors. */
const PRESENT_S = 5;
const ERRORS = 2;

/** Nothing learned. */
export const initialLearning: LoadLearning = { counts: noCounts, historyRps: [], fittedBins: 0, binsSince: 0 };

/** Takes in the seconds that are new at a tick, and begins a round of fits when one is due. */
export function observeLoad(
  learning: LoadLearning,
  load: LoadObservation,
  atMs: number,
  rules: LearningRules,
): LoadLearning {
  const read = readCounts(learning.counts, { arrivalsPerSecond: load.arrivalsPerSecond, atMs }, TASK.binS);
  const methods = byName(rules);
  let { backtest } = learning;
  for (const maximumRps of read.maximaRps)
    if (backtest !== undefined) backtest = observeMaximum(backtest, maximumRps, methods);
  if (read.maximaRps.length === 0) return { ...learning, counts: read.counts };
  const grown: LoadLearning = {
    ...learning,
    counts: read.counts,
    historyRps: [...learning.historyRps, ...read.maximaRps].slice(-KEPT_BINS),
    binsSince: learning.binsSince + read.maximaRps.length,
    ...(backtest && { backtest }),
    ...(learning.waitsBins !== undefined && {
      waitsBins: Math.max(0, learning.waitsBins - read.maximaRps.length),
    }),
  };
  return isRoundDue(grown, rules) ? { ...grown, ...startRound(grown, rules) } : grown;
}

function isRoundDue({ round, historyRps, fittedBins, binsSince }: LoadLearning, { methods }: LearningRules): boolean {
  if (round !== undefined) return false;
  const bins = historyRps.length;
  return binsSince >= Math.min(Math.max(fittedBins, 1), DAY_BINS)
    ? bins >= FEWEST_BINS
    : methods.some((method) => bins >= fewestBins(method) && fittedBins < fewestBins(method));
}

function startRound({ historyRps }: LoadLearning, { methods }: LearningRules) {
  const taught = methods.filter((method) => historyRps.length >= fewestBins(method));
  const names = taught.map(({ name }) => name);
  return { round: beginRound(TASK, historyRps, names), fittedBins: historyRps.length, binsSince: 0 };
}

const fewestBins = ({ name }: ForecastMethod): number => FEWEST_BINS_OF[name] ?? FEWEST_BINS;

/** One step of the round under way, some tenths of a second at most; the same state where there is none. */
export function runTrainingStep(learning: LoadLearning, rules: LearningRules): LoadLearning {
  const { round, ...rest } = learning;
  if (round === undefined) return learning;
  const step = roundStep(round, byName(rules), rules.seed);
  if (step.kind === 'under-way') return { ...learning, round: step.round };
  return { ...rest, backtest: backtestOf(learning.historyRps, step, rules) };
}

function backtestOf(
  historyRps: readonly number[],
  { forecasters, scores }: Pick<LearningSnapshot, 'forecasters' | 'scores'>,
  rules: LearningRules,
): RollingBacktest {
  const scored = new Map(forecasters.flatMap(({ method }, i) => (scores[i] ? [[method, scores[i]] as const] : [])));
  // A day fills every memory; all of a week would make this step take seconds.
  return beginBacktest(
    { task: TASK, forecasters, scores: scored, historyRps: historyRps.slice(-DAY_BINS) },
    byName(rules),
  );
}

/** What to keep; undefined before the first round is done. */
export function learningSnapshot({
  historyRps,
  fittedBins,
  backtest,
  waitsBins = 0,
}: LoadLearning): LearningSnapshot | undefined {
  if (backtest === undefined) return undefined;
  const forecasters = backtest.entries.map(({ method, weights }) => ({ method, weights }));
  const scores = backtest.entries.map(({ score }) => score);
  const waits = waitsBins > 0 ? { waitsBins } : {};
  return { historyRps, fittedBins, forecasters, scores, selected: backtest.selected, ...waits };
}

/** A stop of no more than the horizon is a gap that a forecast of before still spans. */
const GAP_MS = 1000 * TASK.binS * TASK.horizonBins;

/** What was kept, `stoppedMs` later. That does not matter to the weights, but the last values tell of another time. */
export function ageSnapshot(kept: LearningSnapshot, stoppedMs: number): LearningSnapshot {
  return stoppedMs <= GAP_MS ? kept : { ...kept, waitsBins: TASK.lags };
}

/** Goes on with what was kept. */
export function resumeLearning(kept: LearningSnapshot, rules: LearningRules): LoadLearning {
  const { historyRps, fittedBins, selected, waitsBins } = kept;
  const backtest = { ...backtestOf(historyRps, kept, rules), selected };
  return { ...initialLearning, historyRps, fittedBins, backtest, ...(waitsBins !== undefined && { waitsBins }) };
}

/**
 * The forecast for the next 20 s; undefined while nothing was learned, while the last values are those of before a stop, or where the method in
 * force has no forecast.
 */
export function learnedForecast(
  { backtest, waitsBins = 0 }: LoadLearning,
  load: LoadObservation,
): Forecast | undefined {
  if (waitsBins > 0) return undefined;
  const inForce = backtest?.entries[backtest.selected];
  if (backtest === undefined || inForce?.pending.at(-1) === undefined) return undefined;
  const { method, pointRps, upperRps } = selectedForecast(backtest);
  const seconds = TASK.binS * TASK.horizonBins;
  const dispersion = load.burstiness?.dispersionAtSlo ?? 1;
  // Of chance the middle is taken out, not the upper end: what is left of it then stands for what is not known of the rate.
  const law = { seconds, fraction: 0.5, dispersion };
  const upper = rateBehindPeak(upperRps, law);
  const presentRps = presentRate(load.arrivalsPerSecond, dispersion);
  const meanRps = Math.min(upper, rateBehindPeak(pointRps, law));
  return { method, meanRps: Math.max(meanRps, presentRps), upperRps: Math.max(upper, presentRps) };
}

function presentRate(arrivalsPerSecond: readonly number[], dispersion: number): number {
  const recent = arrivalsPerSecond.slice(-PRESENT_S);
  if (recent.length === 0) return 0;
  const mean = recent.reduce((sum, count) => sum + count, 0) / recent.length;
  return Math.max(0, mean - ERRORS * Math.sqrt((dispersion * mean) / recent.length));
}

const byName = ({ methods }: LearningRules): MethodsByName => new Map(methods.map((method) => [method.name, method]));

/**
 * Forecasts learned from served load (docs/explain/forecast.md). All methods train between ticks; the method with the
 * smallest pinball loss is used.
 */
import { normalQuantile } from '../../kernel/normal-quantile.js';
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
import { beginRound, type FitRound, roundStep } from './fit-round.js';

export interface LearningRules {
  readonly methods: readonly ForecastMethod[];
  readonly seed: number;
}

/** Unfinished bin. `second` is the next second to read, on the clock of `atMs`. */
export interface BinCounts {
  readonly second: number;
  readonly inBin: number;
  readonly maximumRps: number;
}

export interface LoadLearning {
  readonly counts: BinCounts;
  /** Oldest first, at most a week. */
  readonly historyRps: readonly number[];
  /** Bins of history at the last training; 0 before the first. */
  readonly fittedBins: number;
  readonly binsSince: number;
  readonly round?: FitRound;
  readonly backtest?: RollingBacktest;
  /** Bins until the methods have current inputs; default 0. */
  readonly waitsBins?: number;
}

export interface LearningSnapshot {
  readonly historyRps: readonly number[];
  readonly fittedBins: number;
  readonly forecasters: readonly TrainedForecaster[];
  readonly scores: readonly Score[];
  readonly selected: number;
  readonly waitsBins?: number;
}

const TASK: PeakTask = USUAL_PEAK_TASK;
const DAY_BINS = 86_400 / TASK.binS;
const KEPT_BINS = 7 * DAY_BINS;
/** One hour. Shorter histories covered 90 % of the peaks instead of 95 %. */
const FEWEST_BINS = 360;
/** Four hours, for methods with many weights. Add each method that looks back further than the lags. */
const FEWEST_BINS_OF: Readonly<Record<string, number>> = { 'boosted-trees': 1440, 'lag-network': 1440, lstm: 1440 };
/** Lower bound of the present rate: mean of `PRESENT_S` seconds minus `ERRORS` standard errors. */
const PRESENT_S = 5;
const ERRORS = 2;

export const noCounts: BinCounts = { second: -1, inBin: 0, maximumRps: 0 };

export const initialLearning: LoadLearning = { counts: noCounts, historyRps: [], fittedBins: 0, binsSince: 0 };

/** Adds new seconds at a tick. Starts a training round if due. */
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

export interface ReadCounts {
  readonly counts: BinCounts;
  readonly maximaRps: readonly number[];
}

/** Reads the seconds up to `atMs` that are not read yet. A gap or a clock set back restarts the bin. */
export function readCounts(
  before: BinCounts,
  { arrivalsPerSecond, atMs }: { readonly arrivalsPerSecond: readonly number[]; readonly atMs: number },
  binS: number,
): ReadCounts {
  const end = Math.floor(atMs / 1000);
  const first = end - arrivalsPerSecond.length;
  const goesOn = before.second >= first && before.second <= end;
  let counts = goesOn ? before : { second: first, inBin: 0, maximumRps: 0 };
  const maximaRps: number[] = [];
  for (const count of arrivalsPerSecond.slice(counts.second - first)) {
    const outside = counts.inBin === 0 && counts.second % binS !== 0;
    const inBin = outside ? 0 : counts.inBin + 1;
    const maximumRps = outside ? 0 : Math.max(counts.maximumRps, count);
    if (inBin === binS) maximaRps.push(maximumRps);
    const full = inBin === binS;
    counts = { second: counts.second + 1, inBin: full ? 0 : inBin, maximumRps: full ? 0 : maximumRps };
  }
  return { counts, maximaRps };
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

/** Takes at most some tenths of a second. Without a round, returns the same state. */
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
  // Replaying a whole week would take seconds.
  return beginBacktest(
    { task: TASK, forecasters, scores: scored, historyRps: historyRps.slice(-DAY_BINS) },
    byName(rules),
  );
}

/** Undefined until the first round is done. */
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

const GAP_MS = 1000 * TASK.binS * TASK.horizonBins;

/** Snapshot after a stop of `stoppedMs`. Weights stay valid; inputs only for a horizon. */
export function ageSnapshot(kept: LearningSnapshot, stoppedMs: number): LearningSnapshot {
  return stoppedMs <= GAP_MS ? kept : { ...kept, waitsBins: TASK.lags };
}

export function resumeLearning(kept: LearningSnapshot, rules: LearningRules): LoadLearning {
  const { historyRps, fittedBins, selected, waitsBins } = kept;
  const backtest = { ...backtestOf(historyRps, kept, rules), selected };
  return { ...initialLearning, historyRps, fittedBins, backtest, ...(waitsBins !== undefined && { waitsBins }) };
}

/** Forecast for the next 20 s. Undefined if nothing is learned, and after a stop until inputs are current. */
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
  // Removes only the median excess of the peak. The upper tail covers the uncertainty of the rate.
  const law = { seconds, fraction: 0.5, dispersion };
  const upper = rateBehindPeak(upperRps, law);
  const presentRps = presentRate(load.arrivalsPerSecond, dispersion);
  const meanRps = Math.min(upper, rateBehindPeak(pointRps, law));
  return { method, meanRps: Math.max(meanRps, presentRps), upperRps: Math.max(upper, presentRps) };
}

export interface PeakLaw {
  readonly seconds: number;
  /** Probability, in (0, 1), that the peak stays below `peakRps`. */
  readonly fraction: number;
  /** Variance ÷ mean; 1 for Poisson. */
  readonly dispersion: number;
}

/**
 * Rate (rps) whose peak over `seconds` counts stays below `peakRps` with probability `fraction`; at most `peakRps`.
 * Counts of rate r and dispersion D are nearly normal with variance D·r. All n counts stay below r + z·√(D·r) with
 * probability p, where z is the normal quantile of p^(1/n).
 */
export function rateBehindPeak(peakRps: number, { seconds, fraction, dispersion }: PeakLaw): number {
  const spread = Math.max(0, normalQuantile(fraction ** (1 / seconds))) * Math.sqrt(dispersion);
  const root = (Math.sqrt(spread * spread + 4 * peakRps) - spread) / 2;
  return root * root;
}

function presentRate(arrivalsPerSecond: readonly number[], dispersion: number): number {
  const recent = arrivalsPerSecond.slice(-PRESENT_S);
  if (recent.length === 0) return 0;
  const mean = recent.reduce((sum, count) => sum + count, 0) / recent.length;
  return Math.max(0, mean - ERRORS * Math.sqrt((dispersion * mean) / recent.length));
}

const byName = ({ methods }: LearningRules): MethodsByName => new Map(methods.map((method) => [method.name, method]));

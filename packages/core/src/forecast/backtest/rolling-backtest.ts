/**
 * Which method to trust, found out while the load goes on: all of them foretell every peak, and when it has come each is scored by the
 * pinball loss of its quantile, the more recent the more. Selected is the one with the least mean loss; another one takes its place
 * only when it is clearly better, so that noise does not make the choice flap. Everything is plain data: state in, state out.
 */

import { pinballLoss } from '../forecast-errors.js';
import type { ForecastMethod, TrainedForecaster } from '../forecast-method.js';
import { isCount, type PeakForecast, type PeakTask } from '../peak-series.js';

/** How a method did so far: Σ w·loss and Σ w, w falling with age. */
export interface Score {
  readonly loss: number;
  readonly weight: number;
}

/** A method in the backtest. */
export interface BacktestEntry extends TrainedForecaster {
  readonly memory: unknown;
  readonly score: Score;
  /** Forecasts whose horizon is not over, oldest first; the last one is for the peak that comes next. Missing where one was not finite. */
  readonly pending: readonly (PeakForecast | undefined)[];
}

/** Where the backtest stands. */
export interface RollingBacktest {
  readonly task: PeakTask;
  readonly entries: readonly BacktestEntry[];
  /** The maxima of the last horizon, oldest first. */
  readonly recentRps: readonly number[];
  /** Position of the method in force among the entries. */
  readonly selected: number;
}

/** Bins after which a loss counts 1 ÷ e: six hours at the usual 10 s. */
const SCORE_MEMORY_BINS = 2160;
/** A new method's mean loss has to be below this fraction of the present one's. */
const CLEARLY_BETTER = 0.98;

/** By name the methods that entries refer to. */
export type MethodsByName = ReadonlyMap<string, ForecastMethod>;

/** What a backtest begins with. */
export interface BacktestStart {
  readonly task: PeakTask;
  readonly forecasters: readonly TrainedForecaster[];
  /** Maxima before the first one that will be observed; they fill the memories and are not scored. */
  readonly historyRps?: ArrayLike<number>;
  /** By method what an earlier backtest found out. */
  readonly scores?: ReadonlyMap<string, Score>;
}

/** A backtest at its start; without scores the first method is in force. */
export function beginBacktest(start: BacktestStart, methods: MethodsByName): RollingBacktest {
  const { task, forecasters, historyRps = [], scores } = start;
  const history = Array.from(historyRps).filter(isCount);
  const entries = forecasters.map((forecaster): BacktestEntry => {
    const score = scores?.get(forecaster.method) ?? { loss: 0, weight: 0 };
    const method = methods.get(forecaster.method);
    if (method === undefined) return { ...forecaster, memory: undefined, score, pending: [] };
    const { weights } = forecaster;
    let memory = method.begin(weights);
    for (const maximumRps of history) memory = method.observe(weights, memory, maximumRps);
    return { ...forecaster, memory, score, pending: [usableForecast(method, weights, memory)] };
  });
  return { task, entries, recentRps: history.slice(-task.horizonBins), selected: select(entries, 0) };
}

/** The backtest one bin later; a maximum that is no count (NaN, negative) is a bin without measurement and changes nothing. */
export function observeMaximum(backtest: RollingBacktest, maximumRps: number, methods: MethodsByName): RollingBacktest {
  if (!isCount(maximumRps)) return backtest;
  const { task } = backtest;
  const recentRps = [...backtest.recentRps, maximumRps].slice(-task.horizonBins);
  const peakRps = recentRps.length < task.horizonBins ? undefined : Math.max(...recentRps);
  const entries = backtest.entries.map((entry) => advanced(entry, { task, maximumRps, peakRps }, methods));
  return { task, entries, recentRps, selected: select(entries, backtest.selected) };
}

/** What the method in force foretells; 0 before the first bin and without a method that can tell. */
export function selectedForecast({ entries, selected }: RollingBacktest): PeakForecast & { readonly method: string } {
  const entry = entries[selected];
  return { method: entry?.method ?? 'none', ...(entry?.pending.at(-1) ?? { pointRps: 0, upperRps: 0 }) };
}

/** Mean loss of a score; infinite before the first. */
export function meanLoss({ loss, weight }: Score): number {
  return weight === 0 ? Number.POSITIVE_INFINITY : loss / weight;
}

interface Observed {
  readonly task: PeakTask;
  readonly maximumRps: number;
  /** The peak of the horizon that ends with this bin; missing before the first whole horizon. */
  readonly peakRps: number | undefined;
}

function advanced(
  entry: BacktestEntry,
  { task, maximumRps, peakRps }: Observed,
  methods: MethodsByName,
): BacktestEntry {
  const method = methods.get(entry.method);
  if (method === undefined) return entry;
  const memory = method.observe(entry.weights, entry.memory, maximumRps);
  const due = entry.pending.length < task.horizonBins ? undefined : entry.pending[0];
  return {
    ...entry,
    memory,
    pending: [...entry.pending, usableForecast(method, entry.weights, memory)].slice(-task.horizonBins),
    score: due === undefined || peakRps === undefined ? entry.score : scored(entry.score, peakRps, { due, task }),
  };
}

/** The forecast, or nothing where it is no pair of counts. */
function usableForecast(method: ForecastMethod, weights: unknown, memory: unknown): PeakForecast | undefined {
  const forecast = method.predict(weights, memory);
  return isCount(forecast.pointRps) && isCount(forecast.upperRps) ? forecast : undefined;
}

function scored(
  { loss, weight }: Score,
  peakRps: number,
  { due, task }: { readonly due: PeakForecast; readonly task: PeakTask },
): Score {
  const kept = 1 - 1 / SCORE_MEMORY_BINS;
  return { loss: kept * loss + pinballLoss(peakRps, due.upperRps, task.upperFraction), weight: kept * weight + 1 };
}

/** The position of the best entry that has a forecast, the present one unless another is clearly better. */
function select(entries: readonly BacktestEntry[], present: number): number {
  const lossOf = (entry: BacktestEntry | undefined): number =>
    entry?.pending.at(-1) === undefined ? Number.NaN : meanLoss(entry.score);
  const bar = CLEARLY_BETTER * lossOf(entries[present]);
  let best = present;
  let least = bar;
  for (const [position, entry] of entries.entries()) {
    const loss = lossOf(entry);
    // A present method without a forecast makes the bar NaN: any that has one takes over.
    if (loss < least || (Number.isNaN(least) && !Number.isNaN(loss))) {
      best = position;
      least = loss;
    }
  }
  return best;
}

/**
 * Online selection of the most reliable method. Methods are scored by the pinball loss of their quantile; recent peaks
 * count more. The least mean loss wins, with a margin against flapping.
 */

import { pinballLoss } from '../forecast-errors.js';
import type { ForecastMethod, TrainedForecaster } from '../forecast-method.js';
import { isCount, type PeakForecast, type PeakTask } from '../peak-series.js';

/** Σ w·loss and Σ w; w falls with age. */
export interface Score {
  readonly loss: number;
  readonly weight: number;
}

export interface BacktestEntry extends TrainedForecaster {
  readonly memory: unknown;
  readonly score: Score;
  /** Forecasts whose horizon has not ended, oldest first. A forecast that is not finite is stored as undefined. */
  readonly pending: readonly (PeakForecast | undefined)[];
}

export interface RollingBacktest {
  readonly task: PeakTask;
  readonly entries: readonly BacktestEntry[];
  /** Maxima of the last horizon, oldest first. */
  readonly recentRps: readonly number[];
  readonly selected: number;
}

/** Bins after which a loss weighs 1 ÷ e: six hours at 10 s. */
const SCORE_MEMORY_BINS = 2160;
/** Another method is selected if its mean loss ÷ the current method's is below this. */
const CLEARLY_BETTER = 0.98;

export type MethodsByName = ReadonlyMap<string, ForecastMethod>;

export interface BacktestStart {
  readonly task: PeakTask;
  readonly forecasters: readonly TrainedForecaster[];
  /** Initial values of the memories, which are not scored. */
  readonly historyRps?: ArrayLike<number>;
  readonly scores?: ReadonlyMap<string, Score>;
}

/** Without scores the first method is selected. */
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

/** Backtest after one more bin. NaN and negative maxima are missing values and change nothing. */
export function observeMaximum(backtest: RollingBacktest, maximumRps: number, methods: MethodsByName): RollingBacktest {
  if (!isCount(maximumRps)) return backtest;
  const { task } = backtest;
  const recentRps = [...backtest.recentRps, maximumRps].slice(-task.horizonBins);
  const peakRps = recentRps.length < task.horizonBins ? undefined : Math.max(...recentRps);
  const entries = backtest.entries.map((entry) => advanced(entry, { task, maximumRps, peakRps }, methods));
  return { task, entries, recentRps, selected: select(entries, backtest.selected) };
}

/** 0 before the first bin, or if no forecast is usable. */
export function selectedForecast({ entries, selected }: RollingBacktest): PeakForecast & { readonly method: string } {
  const entry = entries[selected];
  return { method: entry?.method ?? 'none', ...(entry?.pending.at(-1) ?? { pointRps: 0, upperRps: 0 }) };
}

/** Mean loss; infinite without losses. */
export function meanLoss({ loss, weight }: Score): number {
  return weight === 0 ? Number.POSITIVE_INFINITY : loss / weight;
}

interface Observed {
  readonly task: PeakTask;
  readonly maximumRps: number;
  /** Undefined until a whole horizon has passed. */
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

function select(entries: readonly BacktestEntry[], present: number): number {
  const lossOf = (entry: BacktestEntry | undefined): number =>
    entry?.pending.at(-1) === undefined ? Number.NaN : meanLoss(entry.score);
  const bar = CLEARLY_BETTER * lossOf(entries[present]);
  let best = present;
  let least = bar;
  for (const [position, entry] of entries.entries()) {
    const loss = lossOf(entry);
    // If the selected method has no forecast, `least` is NaN and any other method replaces it.
    if (loss < least || (Number.isNaN(least) && !Number.isNaN(loss))) {
      best = position;
      least = loss;
    }
  }
  return best;
}

/** The last hour of points, one per second, in the order of time. */
import type { HistoryPoint } from '../api/answers.js';

export const HOUR_MS = 3_600_000;

/** `known` with the points of a later answer. Points of the same time are replaced; points older than an hour go. */
export function mergeHistory(known: readonly HistoryPoint[], later: readonly HistoryPoint[]): readonly HistoryPoint[] {
  const [first] = later;
  if (first === undefined) return known;
  const kept = known.filter(({ atEpochMs }) => atEpochMs < first.atEpochMs);
  const merged = [...kept, ...later];
  const from = (merged.at(-1) as HistoryPoint).atEpochMs - HOUR_MS;
  const start = merged.findIndex(({ atEpochMs }) => atEpochMs > from);
  return start > 0 ? merged.slice(start) : merged;
}

/** Index of the last point at or before a time; -1 if all are later. */
export function indexAt(points: readonly Pick<HistoryPoint, 'atEpochMs'>[], atEpochMs: number): number {
  let [low, high] = [0, points.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((points[middle] as HistoryPoint).atEpochMs <= atEpochMs) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}

/** The server joins at most this much of an hour to one of its points. */
const MOST_POINT_MS = 3000;

/** Seconds that a point covers: the time since the one before it, unless points are missing in between. */
export function secondsOf(points: readonly Pick<HistoryPoint, 'atEpochMs'>[], at: number): number {
  const [before, here] = [points[Math.max(0, at - 1)], points[Math.max(1, at)]];
  const ms = before === undefined || here === undefined ? 1000 : here.atEpochMs - before.atEpochMs;
  return Math.min(MOST_POINT_MS, ms) / 1000;
}

const droppedRps = ({ drops }: Pick<HistoryPoint, 'drops'>): number =>
  Object.values(drops).reduce((sum, rps) => sum + rps, 0);

/** Requests of the points up to each one, in the order of the points: any window costs two look-ups. */
export interface MissTotals {
  /** Late, failed or dropped requests. */
  readonly missed: Float64Array;
  readonly ended: Float64Array;
}

export function missTotals(points: readonly HistoryPoint[]): MissTotals {
  const missed = new Float64Array(points.length);
  const ended = new Float64Array(points.length);
  let [missedSoFar, endedSoFar] = [0, 0];
  for (const [at, point] of points.entries()) {
    const lost = point.failedRps + droppedRps(point);
    const seconds = secondsOf(points, at);
    missedSoFar += seconds * (point.lateRps + lost);
    endedSoFar += seconds * (point.completedRps + lost);
    missed[at] = missedSoFar;
    ended[at] = endedSoFar;
  }
  return { missed, ended };
}

export interface ErrorBudget {
  /** Fraction of the requests within the SLO; undefined without requests. */
  readonly attainment: number | undefined;
  /** Fraction (0…1) of the allowed misses of the window that is left; negative if overspent. */
  readonly left: number;
  /** Speed of spending in the last five minutes; 1 spends the budget of a window in the time of a window. */
  readonly burnRate: number | undefined;
  /** Time until nothing is left at this speed; undefined if it lasts. */
  readonly emptyInMs: number | undefined;
}

const BURN_MS = 300_000;

export interface BudgetInput {
  readonly points: readonly HistoryPoint[];
  /** Of these points. */
  readonly totals: MissTotals;
  readonly percentile: number;
}

/** Error budget over the points up to `last`: misses against those that the percentile allows. */
export function errorBudget({ points, totals, percentile }: BudgetInput, last = points.length - 1): ErrorBudget {
  const allowed = 1 - percentile / 100;
  const all = between(totals, -1, last);
  const recent = between(totals, indexAt(points, (points[last]?.atEpochMs ?? 0) - BURN_MS), last);
  const missFraction = all.ended > 0 ? all.missed / all.ended : undefined;
  const left = missFraction === undefined ? 1 : 1 - missFraction / allowed;
  const burnRate = recent.ended > 0 ? recent.missed / recent.ended / allowed : undefined;
  return {
    attainment: missFraction === undefined ? undefined : 1 - missFraction,
    left,
    burnRate,
    emptyInMs: burnRate !== undefined && burnRate > 1 && left > 0 ? (left * HOUR_MS) / burnRate : undefined,
  };
}

/** Requests after the point `from`, up to the point `to`. */
function between({ missed, ended }: MissTotals, from: number, to: number) {
  const of = (sums: Float64Array): number => (sums[to] ?? 0) - (sums[from] ?? 0);
  return { missed: of(missed), ended: of(ended) };
}

/** Error budget that is left after the point `at`, as a fraction of the budget of all points. */
export function budgetLeft({ missed, ended }: MissTotals, percentile: number, at: number): number {
  const allowed = (1 - percentile / 100) * (ended.at(-1) ?? 0);
  return allowed > 0 ? 1 - (missed[at] ?? 0) / allowed : 1;
}

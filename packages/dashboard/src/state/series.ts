/** Columns of charts from the points of the history. A missing second is a gap, never a zero. */
import type { HistoryPoint } from '../api/answers.js';
import { HOUR_MS, indexAt, missesAt } from './history.js';

export type Column = (number | null)[];

/** First the times in seconds, then one column per series. */
export type Columns = readonly [number[], ...Column[]];

export interface SeriesSpec {
  readonly label: string;
  readonly of: (point: HistoryPoint, at: number, points: readonly HistoryPoint[]) => number | null | undefined;
}

const MOST_GAP_STEPS = 3;

export function columnsOf(points: readonly HistoryPoint[], series: readonly SeriesSpec[]): Columns {
  const times: number[] = [];
  const columns: Column[] = series.map(() => []);
  const step = stepOf(points);
  let last = Number.NaN;
  for (let at = 0; at < points.length; at++) {
    const point = points[at] as HistoryPoint;
    if (point.atEpochMs - last > MOST_GAP_STEPS * step) {
      times.push((last + step) / 1000);
      for (const column of columns) column.push(null);
    }
    times.push(point.atEpochMs / 1000);
    for (let i = 0; i < series.length; i++) {
      const value = (series[i] as SeriesSpec).of(point, at, points);
      (columns[i] as Column).push(value === undefined || value === null || !Number.isFinite(value) ? null : value);
    }
    last = point.atEpochMs;
  }
  return [times, ...columns];
}

/** Usual time between points. */
function stepOf(points: readonly HistoryPoint[]): number {
  const [first, last] = [points[0], points.at(-1)];
  if (first === undefined || last === undefined || points.length < 2) return 1000;
  const gaps = [1, Math.floor(points.length / 2), points.length - 1].map(
    (at) => (points[at] as HistoryPoint).atEpochMs - (points[at - 1] as HistoryPoint).atEpochMs,
  );
  return Math.min(...gaps);
}

/** The points of the last `rangeMs`. */
export function lastPoints(points: readonly HistoryPoint[], rangeMs: number): readonly HistoryPoint[] {
  if (rangeMs >= HOUR_MS) return points;
  const last = points.at(-1);
  return last === undefined ? points : points.slice(indexAt(points, last.atEpochMs - rangeMs) + 1);
}

/** Reasons of drops that occur, the most frequent first. */
export function dropReasons(points: readonly HistoryPoint[]): readonly string[] {
  const sums = new Map<string, number>();
  for (const { drops } of points)
    for (const [reason, rps] of Object.entries(drops)) if (rps > 0) sums.set(reason, (sums.get(reason) ?? 0) + rps);
  return [...sums].sort((a, b) => b[1] - a[1]).map(([reason]) => reason);
}

/** Error budget that is left after each point, as a fraction of the budget of all points. */
export function budgetLeft(points: readonly HistoryPoint[], percentile: number): readonly number[] {
  const allowedFraction = 1 - percentile / 100;
  const misses = points.map((_, at) => missesAt(points, at));
  const allowed = allowedFraction * misses.reduce((sum, { ended }) => sum + ended, 0);
  let missed = 0;
  return misses.map((of) => {
    missed += of.missed;
    return allowed > 0 ? 1 - missed / allowed : 1;
  });
}

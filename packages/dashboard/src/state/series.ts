/** Columns of charts from the points of the history. A missing second is a gap, never a zero. */
import type { HistoryPoint } from '../api/answers.js';
import { HOUR_MS, indexAt } from './history.js';

export type Column = (number | null)[];

/** First the times in seconds, then one column per series. */
export type Columns = readonly [number[], ...Column[]];

/** Value of the point with the index `at`. */
export type ValueOf = (point: HistoryPoint, at: number) => number | null | undefined;

const MOST_GAP_STEPS = 3;

/**
 * At most about two values of each series for every pixel: the least and the largest of the points that share it. The
 * groups of points are on a grid of time, so that a line does not change its form while it moves to the left.
 */
export function columnsOf(points: readonly HistoryPoint[], series: readonly ValueOf[], widthPx: number): Columns {
  const times: number[] = [];
  const columns: Column[] = series.map(() => []);
  const step = stepOf(points);
  const grid: Grid = { groupMs: groupMsOf(points, step, widthPx), gapMs: MOST_GAP_STEPS * step };
  for (let from = 0, to = 0; from < points.length; from = to) {
    to = endOfGroup(points, from, grid);
    const [before, first, last] = [timeOf(points, from - 1), timeOf(points, from), timeOf(points, to - 1)];
    if (first - before > grid.gapMs) {
      times.push((before + step) / 1000);
      for (const column of columns) column.push(null);
    }
    times.push(first / 1000);
    if (to - from > 1) times.push(last / 1000);
    for (const [index, of] of series.entries()) pushExtremes(columns[index] as Column, points, { from, to, of });
  }
  return [times, ...columns];
}

interface Grid {
  /** Length of a group; zero if each point is a group. */
  readonly groupMs: number;
  /** Points that are farther apart have a gap between them. */
  readonly gapMs: number;
}

/** NaN before the first point. */
const timeOf = (points: readonly HistoryPoint[], at: number): number => points[at]?.atEpochMs ?? Number.NaN;

function groupMsOf(points: readonly HistoryPoint[], step: number, widthPx: number): number {
  if (points.length <= 2 * widthPx) return 0;
  const spanMs = timeOf(points, points.length - 1) - timeOf(points, 0);
  return step * Math.ceil(spanMs / step / widthPx);
}

function endOfGroup(points: readonly HistoryPoint[], from: number, { groupMs, gapMs }: Grid): number {
  if (groupMs === 0) return from + 1;
  const group = Math.floor(timeOf(points, from) / groupMs);
  let to = from + 1;
  while (
    to < points.length &&
    Math.floor(timeOf(points, to) / groupMs) === group &&
    timeOf(points, to) - timeOf(points, to - 1) <= gapMs
  )
    to += 1;
  return to;
}

interface Group {
  readonly from: number;
  /** Exclusive. */
  readonly to: number;
  readonly of: ValueOf;
}

/** One value for a group of one point, else the least and the largest in the order of time. */
function pushExtremes(column: Column, points: readonly HistoryPoint[], { from, to, of }: Group): void {
  let [least, most] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  let [leastAt, mostAt] = [from, from];
  for (let at = from; at < to; at++) {
    const value = of(points[at] as HistoryPoint, at);
    if (value === undefined || value === null || !Number.isFinite(value)) continue;
    if (value < least) [least, leastAt] = [value, at];
    if (value > most) [most, mostAt] = [value, at];
  }
  const pair = leastAt <= mostAt ? [least, most] : [most, least];
  for (const value of to - from > 1 ? pair : pair.slice(0, 1)) column.push(Number.isFinite(value) ? value : null);
}

/** Usual time between points. */
function stepOf(points: readonly HistoryPoint[]): number {
  if (points.length < 2) return 1000;
  const gaps = [1, Math.floor(points.length / 2), points.length - 1].map(
    (at) => timeOf(points, at) - timeOf(points, at - 1),
  );
  return Math.min(...gaps);
}

const MOST_LOOKED_BACK = 30;

/** The newest value at or before a time; undefined if the last half minute has none. */
export function valueAt(
  points: readonly HistoryPoint[],
  of: ValueOf,
  atEpochMs: number | undefined,
): number | undefined {
  const from = atEpochMs === undefined ? points.length - 1 : Math.max(0, indexAt(points, atEpochMs));
  for (let at = from; at >= Math.max(0, from - MOST_LOOKED_BACK); at--) {
    const point = points[at];
    const value = point && of(point, at);
    if (typeof value === 'number' && Number.isFinite(value)) return value;
  }
  return undefined;
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

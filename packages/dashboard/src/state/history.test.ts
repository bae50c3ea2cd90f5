import { describe, expect, it } from 'vitest';
import type { HistoryPoint } from '../api/answers.js';
import { errorBudget, HOUR_MS, indexAt, mergeHistory, secondsOf } from './history.js';
import { budgetLeft, columnsOf, dropReasons, lastPoints } from './series.js';

const START = 1_800_000_000_000;

const point = (second: number, over: Partial<HistoryPoint> = {}): HistoryPoint => ({
  atEpochMs: START + 1000 * second,
  ...{ arrivalRps: 10, completedRps: 10, lateRps: 0, failedRps: 0, drops: {}, p50Ms: 5, p99Ms: 9 },
  ...{ cpuCores: { planned: 2 }, stages: {} },
  ...over,
});
const points = (from: number, to: number, over?: Partial<HistoryPoint>) =>
  Array.from({ length: to - from }, (_, at) => point(from + at, over));

describe('the history', () => {
  it('grows, replaces what comes again, and forgets what is older than an hour', () => {
    const merged = mergeHistory(points(0, 5), [point(4, { arrivalRps: 7 }), point(5)]);
    expect(merged.map(({ arrivalRps }) => arrivalRps)).toEqual([10, 10, 10, 10, 7, 10]);
    expect(mergeHistory(merged, [])).toBe(merged);
    const full = mergeHistory(points(0, 3600), points(3600, 3700));
    expect([full.length, full[0]?.atEpochMs]).toEqual([3600, START + 100_000]);
  });

  it('finds the point of a moment', () => {
    const all = points(0, 10);
    expect([-1, 0, 1500, 99_000].map((ms) => indexAt(all, START + ms))).toEqual([-1, 0, 1, 9]);
    expect(indexAt([], START)).toBe(-1);
  });

  it('selects the last minutes', () => {
    expect(lastPoints(points(0, 900), 300_000)).toHaveLength(300);
    expect(lastPoints(points(0, 10), HOUR_MS)).toHaveLength(10);
  });
});

describe('the error budget', () => {
  it('is whole without misses, and without requests', () => {
    expect(errorBudget(points(0, 100), 99)).toEqual({ attainment: 1, left: 1, burnRate: 0, emptyInMs: undefined });
    expect(errorBudget([], 99)).toMatchObject({ attainment: undefined, left: 1, burnRate: undefined });
  });

  it('counts late, failed and dropped requests', () => {
    const misses = { completedRps: 997, lateRps: 2, failedRps: 1, drops: { 'queue-full': 2 } };
    const { attainment, left, burnRate, emptyInMs } = errorBudget(points(0, 100, misses), 99);
    expect([attainment, left, burnRate]).toEqual([0.995, 0.5, 0.5].map((value) => expect.closeTo(value, 9)));
    expect(emptyInMs).toBeUndefined();
  });

  it('tells when it will be empty', () => {
    const quiet = points(0, 3300, { completedRps: 100 });
    const bad = points(3300, 3600, { completedRps: 100, lateRps: 2 });
    const { left, burnRate, emptyInMs } = errorBudget([...quiet, ...bad], 99);
    expect([left, burnRate]).toEqual([expect.closeTo(5 / 6, 6), expect.closeTo(2, 6)]);
    expect(emptyInMs).toBeCloseTo((HOUR_MS * 5) / 12, -1);
  });

  it('counts a point of three seconds three times, also next to points of one second', () => {
    const joined = Array.from({ length: 100 }, (_, at) => point(3 * (at + 1)));
    const bad = points(301, 401, { lateRps: 0.1 });
    const all = [...joined, ...bad];
    expect([0, 1, 100, 101].map((at) => secondsOf(all, at))).toEqual([3, 3, 1, 1]);
    // 10 of 4,000 requests are late, and 40 may be.
    expect(errorBudget(all, 99)).toMatchObject({
      attainment: expect.closeTo(0.9975, 9),
      left: expect.closeTo(0.75, 9),
    });
    expect(budgetLeft(all, 99).at(-1)).toBeCloseTo(0.75, 9);
  });

  it('counts no time in which the server gave no points', () => {
    expect(secondsOf([point(0), point(500)], 1)).toBe(3);
    expect(secondsOf([point(0)], 0)).toBe(1);
  });

  it('falls point by point to the same value', () => {
    const all = [...points(0, 50), ...points(50, 100, { lateRps: 0.1 })];
    const left = budgetLeft(all, 99);
    expect(left[49]).toBe(1);
    expect(left.at(-1)).toBeCloseTo(errorBudget(all, 99).left, 9);
  });
});

describe('the columns of a chart', () => {
  const series = [{ label: 'p99', of: ({ p99Ms }: HistoryPoint) => p99Ms }];

  it('have gaps where nothing was measured, not zeros', () => {
    const all = [point(0), point(1, { p99Ms: null }), point(2), ...points(60, 62)];
    const [times, p99] = columnsOf(all, series);
    expect(times.map((time) => time - START / 1000)).toEqual([0, 1, 2, 3, 60, 61]);
    expect(p99).toEqual([9, null, 9, null, 9, 9]);
  });

  it('take an hour of points in little time', () => {
    const all = points(0, 3600);
    expect(columnsOf(all, series)[0]).toHaveLength(3600);
  });

  it('name the reasons of drops that occur, the most frequent first', () => {
    const all = [point(0, { drops: { 'queue-full': 1, draining: 0 } }), point(1, { drops: { 'wait-too-long': 5 } })];
    expect(dropReasons(all)).toEqual(['wait-too-long', 'queue-full']);
  });
});

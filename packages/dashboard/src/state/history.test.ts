import { describe, expect, it } from 'vitest';
import type { HistoryPoint } from '../api/answers.js';
import { budgetLeft, errorBudget, HOUR_MS, indexAt, mergeHistory, missTotals, secondsOf } from './history.js';
import { columnsOf, dropReasons, lastPoints, valueAt } from './series.js';

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
  const budgetOf = (all: readonly HistoryPoint[], last?: number) =>
    errorBudget({ points: all, totals: missTotals(all), percentile: 99 }, last);

  it('is whole without misses, and without requests', () => {
    expect(budgetOf(points(0, 100))).toEqual({ attainment: 1, left: 1, burnRate: 0, emptyInMs: undefined });
    expect(budgetOf([])).toMatchObject({ attainment: undefined, left: 1, burnRate: undefined });
  });

  it('counts late, failed and dropped requests', () => {
    const misses = { completedRps: 997, lateRps: 2, failedRps: 1, drops: { 'queue-full': 2 } };
    const { attainment, left, burnRate, emptyInMs } = budgetOf(points(0, 100, misses));
    expect([attainment, left, burnRate]).toEqual([0.995, 0.5, 0.5].map((value) => expect.closeTo(value, 9)));
    expect(emptyInMs).toBeUndefined();
  });

  it('tells when it will be empty', () => {
    const quiet = points(0, 3300, { completedRps: 100 });
    const bad = points(3300, 3600, { completedRps: 100, lateRps: 2 });
    const { left, burnRate, emptyInMs } = budgetOf([...quiet, ...bad]);
    expect([left, burnRate]).toEqual([expect.closeTo(5 / 6, 6), expect.closeTo(2, 6)]);
    expect(emptyInMs).toBeCloseTo((HOUR_MS * 5) / 12, -1);
  });

  it('counts a point of three seconds three times, also next to points of one second', () => {
    const joined = Array.from({ length: 100 }, (_, at) => point(3 * (at + 1)));
    const bad = points(301, 401, { lateRps: 0.1 });
    const all = [...joined, ...bad];
    expect([0, 1, 100, 101].map((at) => secondsOf(all, at))).toEqual([3, 3, 1, 1]);
    // 10 of 4,000 requests are late, and 40 may be.
    expect(budgetOf(all)).toMatchObject({
      attainment: expect.closeTo(0.9975, 9),
      left: expect.closeTo(0.75, 9),
    });
    expect(budgetLeft(missTotals(all), 99, all.length - 1)).toBeCloseTo(0.75, 9);
  });

  it('counts no time in which the server gave no points', () => {
    expect(secondsOf([point(0), point(500)], 1)).toBe(3);
    expect(secondsOf([point(0)], 0)).toBe(1);
  });

  it('falls point by point to the same value', () => {
    const all = [...points(0, 50), ...points(50, 100, { lateRps: 0.1 })];
    const left = (at: number) => budgetLeft(missTotals(all), 99, at);
    expect(left(49)).toBe(1);
    expect(left(99)).toBeCloseTo(budgetOf(all).left, 9);
  });

  it('of a past moment is that of the points up to it', () => {
    const all = Array.from({ length: 900 }, (_, at) => point(at, { lateRps: at % 7 === 0 ? 0.4 : 0 }));
    for (const last of [0, 1, 299, 300, 301, 898]) {
      const { attainment, left, burnRate } = budgetOf(all, last);
      const then = budgetOf(all.slice(0, last + 1));
      expect([attainment, left, burnRate]).toEqual(
        [then.attainment, then.left, then.burnRate].map((value) => expect.closeTo(value ?? 0, 9)),
      );
    }
    expect(budgetOf(all, -1)).toMatchObject({ attainment: undefined, left: 1 });
  });
});

describe('the columns of a chart', () => {
  const WIDE_PX = 10_000;
  const p99 = ({ p99Ms }: HistoryPoint) => p99Ms;

  it('have gaps where nothing was measured, not zeros', () => {
    const all = [point(0), point(1, { p99Ms: null }), point(2), ...points(60, 62)];
    const [times, values] = columnsOf(all, [p99], WIDE_PX);
    expect(times.map((time) => time - START / 1000)).toEqual([0, 1, 2, 3, 60, 61]);
    expect(values).toEqual([9, null, 9, null, 9, 9]);
  });

  it('of an hour have at most two points for each pixel, with all extremes in their seconds', () => {
    const peaks = new Map([
      [7, 900],
      [1800, 0.5],
      [3599, 700],
    ]);
    const all = Array.from({ length: 3600 }, (_, at) => point(at, { p99Ms: peaks.get(at) ?? 9 }));
    const [times, values = []] = columnsOf(all, [p99], 440);
    expect(times.length).toBeLessThanOrEqual(2 * 440);
    expect(times.length).toBeGreaterThan(440);
    expect(times).toEqual([...times].sort((a, b) => a - b));
    for (const [second, value] of peaks) {
      const at = values.indexOf(value);
      expect(Math.abs((times[at] ?? 0) - START / 1000 - second)).toBeLessThanOrEqual(9);
    }
    expect(values.filter((value) => value !== 9)).toHaveLength(peaks.size);
  });

  it('keep the gaps of an hour', () => {
    const all = [...points(0, 1000), ...points(1100, 3600)];
    const [times, values = []] = columnsOf(all, [p99], 440);
    const gap = values.indexOf(null);
    expect(times.slice(gap - 1, gap + 2).map((time) => time - START / 1000)).toEqual([999, 1000, 1100]);
    expect(values.filter((value) => value === null)).toHaveLength(1);
  });

  it('do not change behind a new point', () => {
    const all = Array.from({ length: 3601 }, (_, at) => point(at, { p99Ms: (at * 7919) % 101 }));
    const [before, after] = [all.slice(0, 3600), all].map((each) => columnsOf(each, [p99], 440));
    const settled = (before?.[0].length ?? 0) - 2;
    expect(after?.map((column) => column.slice(0, settled))).toEqual(before?.map((column) => column.slice(0, settled)));
  });

  it('show the newest value, or that of a past moment', () => {
    const all = [point(0, { p99Ms: 3 }), ...points(1, 20), point(20, { p99Ms: null })];
    expect([undefined, START, START + 20_000].map((at) => valueAt(all, p99, at))).toEqual([9, 3, 9]);
    expect(valueAt(points(0, 60, { p99Ms: null }), p99, undefined)).toBeUndefined();
    expect(valueAt([], p99, START)).toBeUndefined();
  });

  it('name the reasons of drops that occur, the most frequent first', () => {
    const all = [point(0, { drops: { 'queue-full': 1, draining: 0 } }), point(1, { drops: { 'wait-too-long': 5 } })];
    expect(dropReasons(all)).toEqual(['wait-too-long', 'queue-full']);
  });
});

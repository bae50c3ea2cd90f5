import { describe, expect, it } from 'vitest';
import { SeededRng } from '../kernel/rng.js';
import { extentOf, missedSpan } from './symptoms.js';

const slo = { latencyMs: 300, allowedFraction: 0.01 };
const steady = (seconds: number, missedAt: (second: number) => number) => ({
  ended: new Array<number>(seconds).fill(60),
  missed: Array.from({ length: seconds }, (_, second) => missedAt(second)),
});
const within = (misses: ReturnType<typeof steady>) => missedSpan(misses, { from: 0, to: misses.ended.length }, slo);

describe('missedSpan', () => {
  it.each<[string, (second: number) => number]>([
    ['without misses', () => 0],
    ['with the allowed fraction', (second) => (second % 5 === 0 ? 3 : 0)],
    ['with one bad second', (second) => (second === 50 ? 30 : 0)],
  ])('finds no harm in a window %s', (_, missedAt) => {
    expect(within(steady(120, missedAt))).toBeUndefined();
  });

  it('is uncertain of harm that chance may explain', () => {
    expect(within(steady(120, (second) => (second === 50 ? 40 : second === 90 ? 40 : 0)))).toMatchObject({
      isCertain: false,
    });
  });

  it('finds the part with the harm', () => {
    expect(within(steady(300, (second) => (second >= 200 && second < 215 ? 30 : 0)))).toEqual({
      from: 200,
      to: 215,
      isCertain: true,
    });
    expect(within(steady(120, () => 6))).toEqual({ from: 0, to: 120, isCertain: true });
  });

  it('finds lasting harm to a part of the requests, by the spread of the misses', () => {
    const found = Array.from({ length: 50 }, (_, seed) => {
      const rng = new SeededRng(seed);
      // On average 2.5 % of the requests, a few each second.
      return within(steady(120, () => Math.round(3 * rng.next())));
    });
    expect(found.filter((part) => part?.isCertain !== true)).toEqual([]);
  });

  it('has few false alarms if misses come in clusters', () => {
    const alarms = Array.from({ length: 200 }, (_, seed) => {
      const rng = new SeededRng(seed);
      // On average 0.8 % of the requests, in clusters of 18: as many as come within the SLO.
      return within(steady(120, () => (rng.next() < 0.027 ? 18 : 0)));
    });
    expect(alarms.filter((alarm) => alarm?.isCertain === true).length).toBeLessThanOrEqual(4);
  });

  it('finds nothing without requests', () => {
    expect(missedSpan({ missed: [0, 0], ended: [0, 0] }, { from: 0, to: 2 }, slo)).toBeUndefined();
    expect(missedSpan({ missed: [], ended: [] }, { from: 0, to: 0 }, slo)).toBeUndefined();
  });
});

describe('extentOf', () => {
  const extent = (missedAt: (second: number) => number) => {
    const misses = steady(300, missedAt);
    return extentOf(misses, { from: 200, to: 205 }, { from: 0, to: 300 }, slo.allowedFraction);
  };
  const isWorst = (second: number) => second >= 200 && second < 205;

  it.each<[string, (second: number) => number, readonly [number, number]]>([
    ['is the worst part, if it is calm before and after it', () => 0, [200, 205]],
    ['is the worst part, if the SLO is met before and after it', (second) => Number(second % 2 === 0), [200, 205]],
    ['reaches as far as mild harm lasts', (second) => (second >= 150 && second < 250 ? 2 : 0), [150, 250]],
    ['does not reach earlier harm over calm seconds', (second) => (second >= 100 && second < 150 ? 2 : 0), [200, 205]],
    ['reaches over a short calm', (second) => (second >= 150 && second < 195 ? 2 : 0), [150, 205]],
  ])('%s', (_, missedAt, [from, to]) => {
    expect(extent((second) => (isWorst(second) ? 12 : missedAt(second)))).toEqual({ from, to });
  });
});

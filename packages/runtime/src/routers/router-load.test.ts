import { describe, expect, it } from 'vitest';
import { RouterLoad } from './router-load.js';

const SECONDS = 120;

/** Counts of a minute or two: this router gets `own` requests per second, the others `others`. */
function counted(own: number, ...others: number[]) {
  const load = new RouterLoad();
  for (let second = 0; second <= SECONDS; second++) {
    load.note('own', 1000 + own * second, 1000 * second);
    others.forEach((rps, index) => {
      load.note(`${index}`, rps * second, 1000 * second);
    });
  }
  return {
    load,
    at: (count: number) =>
      load.load(
        {
          arrivalsPerSecond: new Array(100).fill(own),
          latest: [{ windowS: 1, arrivals: own }],
        },
        { ownId: 'own', count, nowMs: 1000 * SECONDS + 500 },
      ),
  };
}
const meanOf = (counts: readonly number[]) => counts.reduce((sum, each) => sum + each, 0) / counts.length;

describe('RouterLoad', () => {
  it('is the share of one router, also if the lead itself gets less or nothing', () => {
    expect(meanOf(counted(50, 50).at(2).arrivalsPerSecond)).toBeCloseTo(50, 6);
    const none = counted(0, 60).at(2);
    expect(meanOf(none.arrivalsPerSecond)).toBeCloseTo(60, 0);
    expect(none.latest).toBeUndefined();
  });

  it('is that of the router with the most load if shares are uneven', () => {
    const { arrivalsPerSecond, latest } = counted(40, 60).at(2);
    expect(meanOf(arrivalsPerSecond)).toBeCloseTo(60, 0);
    expect(latest?.[0]?.arrivals).toBeCloseTo(60, 0);
  });

  it('is the whole load for the only router that is left, with arrivals of those before', () => {
    const { load, at } = counted(50, 50);
    load.prune(new Set(['own']), 1000 * SECONDS);
    expect(meanOf(at(1).arrivalsPerSecond)).toBeCloseTo(100, 6);
    load.prune(new Set(['own']), 1000 * (SECONDS + 601));
    expect(meanOf(at(1).arrivalsPerSecond)).toBeCloseTo(50, 6);
  });

  it('has no burst after a pause of the lead', () => {
    const load = new RouterLoad();
    for (const second of [0, 1, 2, 3, 33, 34]) load.note('other', 100 * second + 50, 1000 * second + 500);
    const { arrivalsPerSecond } = load.load(
      { arrivalsPerSecond: new Array(34).fill(0) },
      { ownId: 'own', count: 1, nowMs: 34_500 },
    );
    expect(arrivalsPerSecond).toEqual([50, ...new Array(33).fill(100)]);
  });

  it('assumes equal shares while there are few requests', () => {
    expect(meanOf(counted(1, 3).at(2).arrivalsPerSecond)).toBeCloseTo(2, 1);
  });
});

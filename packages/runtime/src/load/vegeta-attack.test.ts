import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { runsOf } from './vegeta-attack.js';

describe('runs of vegeta', () => {
  it('join consecutive seconds with the same count, and leave empty ones out', () => {
    const runs = runsOf([0, 3, 3, 0, 3, 1]);
    expect(runs.map(({ fromS, seconds, perSecond, first }) => [fromS, seconds, perSecond, first])).toEqual([
      [1, 2, 3, 0],
      [4, 1, 3, 6],
      [5, 1, 1, 9],
    ]);
  });

  it('have the counts of the seconds, and bounded files (property)', () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom(0, 1, 2, 40_000)), (counts) => {
        const runs = runsOf(counts);
        const rebuilt = counts.map((): number => 0);
        for (const { fromS, seconds, perSecond } of runs)
          for (let second = fromS; second < fromS + seconds; second++) rebuilt[second] = perSecond;
        expect(rebuilt).toEqual(counts);
        expect(runs.every(({ seconds, perSecond }) => seconds * perSecond <= 100_000)).toBe(true);
        for (const { fromS, first } of runs)
          expect(first).toBe(counts.slice(0, fromS).reduce<number>((sum, count) => sum + count, 0));
      }),
      { seed: 1, numRuns: 100 },
    );
  });
});

import { describe, expect, it } from 'vitest';
import { fanOutItems } from './item-chances.js';

const CHANCES = Array.from({ length: 1000 }, (_, i) => (i + 0.5) / 1000);

function countsOf(items: (chance: number) => number): Record<number, number> {
  const counts: Record<number, number> = {};
  for (const chance of CHANCES) counts[items(chance)] = (counts[items(chance)] ?? 0) + 1;
  return counts;
}

describe('fanOutItems', () => {
  it('gives the floor or the ceiling of an expected number, with that mean', () => {
    expect(countsOf(fanOutItems({ expected: 2.25 }))).toEqual({ 2: 750, 3: 250 });
    expect(countsOf(fanOutItems({ expected: 3 }))).toEqual({ 3: 1000 });
  });

  it('gives each number of items as often as the distribution says', () => {
    const items = fanOutItems({ expected: 2.5, distribution: [0.1, 0.2, 0, 0.6, 0.1] });
    expect(countsOf(items)).toEqual({ 0: 100, 1: 200, 3: 600, 4: 100 });
  });

  it('takes fractions relative to their sum', () => {
    expect(countsOf(fanOutItems({ expected: 1.5, distribution: [0, 0.499, 0.5] }))).toEqual({ 1: 499, 2: 501 });
  });

  it('has an answer just below a chance of 1', () => {
    const items = fanOutItems({ expected: 1, distribution: [0.1, 0.3, 0.6, 0] });
    expect(items(1 - Number.EPSILON / 2)).toBe(2);
  });
});

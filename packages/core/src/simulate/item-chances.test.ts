import { describe, expect, it } from 'vitest';
import { SeededRng } from '../kernel/rng.js';
import { stageId, variantId } from '../model/ids.js';
import { chainSpec } from '../model/spec-builders.test-support.js';
import { fanOutItems, ItemChances } from './item-chances.js';

const CHANCES = Array.from({ length: 1000 }, (_, i) => (i + 0.5) / 1000);

function countsOf(items: (chance: number) => number): Record<number, number> {
  const counts: Record<number, number> = {};
  for (const chance of CHANCES) counts[items(chance)] = (counts[items(chance)] ?? 0) + 1;
  return counts;
}

describe('shares by variant', () => {
  const [a, b] = [stageId('a'), stageId('b')];
  const [small, medium] = [variantId('small'), variantId('medium')];
  const spec = {
    ...chainSpec({ a: [], b: [] }),
    edges: [
      { from: a, to: b, when: { condition: 'x', probability: 0.5, byVariant: { [small]: 1, [medium]: 0.25 } } },
      { from: a, to: b, fanOut: { expected: 3, byVariant: { [small]: 2, [medium]: 4 } } },
    ],
  };
  const chances = new ItemChances(spec, new SeededRng(1));
  const mean = (of: (key: number) => number): number => {
    const keys = Array.from({ length: 4000 }, (_, sequence) => chances.request(sequence));
    return keys.reduce((sum, key) => sum + of(key), 0) / keys.length;
  };

  it.each([
    ['small', small, 1, 2],
    ['medium', medium, 0.25, 4],
    ['no known variant', undefined, 0.5, 3],
  ])('are those of the variant that made the output: %s', (_, variant, share, items) => {
    expect(mean((key) => Number(chances.takes({ index: 0 }, key, undefined, variant)))).toBeCloseTo(share, 1);
    expect(mean((key) => chances.items({ index: 1 }, key, variant))).toBe(items);
    expect(mean((key) => chances.fanOut({ index: 1 }, key, undefined, variant).length)).toBe(items);
  });

  it('keep the paths of requests: what escalates behind the rarer variant does behind the other one', () => {
    for (let sequence = 0; sequence < 100; sequence++) {
      const key = chances.request(sequence);
      if (chances.takes({ index: 0 }, key, undefined, medium))
        expect(chances.takes({ index: 0 }, key, undefined, small)).toBe(true);
    }
  });
});

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

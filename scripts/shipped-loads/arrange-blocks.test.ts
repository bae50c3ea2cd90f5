import { describe, expect, it } from 'vitest';
import { SeededRng } from '../../packages/core/src/kernel/rng.js';
import { arrangeBlocks } from './arrange-blocks.js';
import { autocorrelation } from './load-statistics.js';

const rng = new SeededRng(1);
const blocks = Array.from({ length: 120 }, () => [Math.floor(20 * rng.next()), Math.floor(20 * rng.next())]);
const sums = (of: readonly (readonly number[])[]) => of.map(([a = 0, b = 0]) => a + b);

describe('arrangeBlocks', () => {
  it('gives the blocks a wanted autocorrelation and keeps every one of them', () => {
    const wanted = [0.4, 0, -0.2, 0.1, 0];
    const arranged = arrangeBlocks(blocks, wanted, new SeededRng(2));
    autocorrelation(sums(arranged), 5).forEach((found, i) => {
      expect(Math.abs(found - (wanted[i] ?? 0))).toBeLessThan(0.01);
    });
    expect(arranged.map(String).sort()).toEqual(blocks.map(String).sort());
  });

  it('gives the same order for the same seed', () => {
    const twice = [3, 3].map((seed) => arrangeBlocks(blocks, [0.3], new SeededRng(seed)));
    expect(twice[0]).toEqual(twice[1]);
  });
});

import { describe, expect, it } from 'vitest';
import { addRow, emptySums, segmentsFit } from './ridge-fit.js';

/** Segments of equal length whose rows all have the mean of their segment. */
function segmentsWith(means: readonly number[]) {
  return means.map((mean) => {
    const sums = emptySums(1);
    for (let row = 0; row < 100; row++) addRow(sums, [1], mean);
    return sums;
  });
}

describe('segmentsFit', () => {
  const vague = { prior: [1e6], atLeastZero: [] };

  it('is as uncertain as segments differ: Student’s interval of their mean', () => {
    const { values, halfWidths } = segmentsFit(segmentsWith([0, 1, 2, 3]), vague);
    expect(values[0]).toBeCloseTo(1.5, 6);
    // t(3) · s ÷ √n = 3.182 · 1.291 ÷ 2.
    expect(halfWidths[0]).toBeCloseTo(2.054, 3);
  });

  it('has the half width of the posterior with fewer than three segments', () => {
    const { halfWidths } = segmentsFit(segmentsWith([1, 2]), vague);
    // Variance of the rows 1 ÷ 4, of their mean 1 ÷ 800.
    expect(halfWidths[0]).toBeCloseTo(1.96 * Math.sqrt(1 / 800), 4);
  });

  it('fixes a value that would be below its least one', () => {
    expect(segmentsFit(segmentsWith([-2, -1, -3]), { prior: [1e6], atLeastZero: [0] }).values).toEqual([0]);
  });
});

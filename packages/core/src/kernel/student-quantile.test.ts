import { describe, expect, it } from 'vitest';
import { normalQuantile } from './normal-quantile.js';
import { studentQuantile } from './student-quantile.js';

describe('studentQuantile', () => {
  it.each([
    [0.75, 3, 0.764892],
    [0.975, 1, 12.706205],
    [0.975, 2, 4.302653],
    [0.975, 3, 3.182446],
    [0.975, 4, 2.776445],
    [0.975, 10, 2.228139],
    [0.995, 4, 4.604095],
    [0.995, 19, 2.860935],
    [0.9995, 3, 12.923979],
    [0.9995, 9, 4.780913],
    [0.975, 100, 1.983972],
  ])('is that of published tables at %d with %d degrees of freedom', (fraction, degrees, expected) => {
    expect(studentQuantile(fraction, degrees)).toBeCloseTo(expected, 4);
  });

  it('tends to the normal quantile, and knows nothing without a degree of freedom', () => {
    expect(studentQuantile(0.975, 1e9)).toBeCloseTo(normalQuantile(0.975), 6);
    expect(studentQuantile(0.975, Number.POSITIVE_INFINITY)).toBe(normalQuantile(0.975));
    expect(studentQuantile(0.975, 0)).toBe(Number.POSITIVE_INFINITY);
  });
});

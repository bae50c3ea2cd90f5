import { expect, it } from 'vitest';
import { wilsonInterval } from './wilson-interval.js';

const Z_95 = 1.959964;

it.each([
  [0.5, 10, 0.2366, 0.7634],
  [1, 16, 0.8064, 1],
  [0, 16, 0, 0.1936],
  [0.99, 1000, 0.9817, 0.9946],
])('wilsonInterval of %d in %d outcomes is that of published tables', (fraction, count, expectedLow, expectedHigh) => {
  const { low, high } = wilsonInterval(fraction, count, Z_95);
  expect(low).toBeCloseTo(expectedLow, 4);
  expect(high).toBeCloseTo(expectedHigh, 4);
});

import { expect, it } from 'vitest';
import { normalFraction, normalQuantile } from './normal-quantile.js';

it.each([
  [0.5, 0],
  [0.8413447460685429, 1],
  [0.99, 2.3263478740408408],
  [0.999, 3.090232306167813],
  [0.01, -2.3263478740408408],
])('at %f is %f', (fraction, z) => {
  expect(normalQuantile(fraction)).toBeCloseTo(z, 7);
});

it('is infinite at the ends', () => {
  expect([normalQuantile(0), normalQuantile(1)]).toEqual([-Infinity, Infinity]);
});

it.each([-4, -1, -0.1, 0, 0.3, 2.5])('normalFraction is its inverse at %f', (z) => {
  expect(normalQuantile(normalFraction(z))).toBeCloseTo(z, 2);
  expect(normalFraction(z) + normalFraction(-z)).toBeCloseTo(1, 7);
});

it('normalFraction agrees with tables', () => {
  expect([normalFraction(1), normalFraction(2.3263478740408408)]).toEqual([
    expect.closeTo(0.8413447460685429, 6),
    expect.closeTo(0.99, 6),
  ]);
});

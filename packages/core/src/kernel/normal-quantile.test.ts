import { expect, it } from 'vitest';
import { normalQuantile } from './normal-quantile.js';

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

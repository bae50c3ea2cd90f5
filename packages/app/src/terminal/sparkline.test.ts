import { expect, it } from 'vitest';
import { sparkline } from './sparkline.js';

it('shows the last values between the bottom and the largest, gaps blank', () => {
  expect(sparkline([9, 0, 4, 8, undefined, 8], 5)).toBe('▁▅█ █');
  expect(sparkline([0.8, 0.9], 4, 0.8)).toBe('▁█  ');
  expect(sparkline([], 3)).toBe('   ');
});

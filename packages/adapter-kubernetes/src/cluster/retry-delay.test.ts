import { SeededRng } from '@equipoise/core/model';
import { describe, expect, it } from 'vitest';
import { retryDelayMs } from './retry-delay.js';

const delays = { shortestMs: 100, longestMs: 3_000 };
const always = (value: number) => ({ next: () => value, fork: () => always(value) });

describe('retryDelayMs', () => {
  it('doubles up to the longest', () => {
    const whole = [1, 2, 3, 6, 100, 5_000].map((failures) => retryDelayMs(failures, delays, always(1)));
    expect(whole).toEqual([100, 200, 400, 3_000, 3_000, 3_000]);
  });

  it('scatters over the upper half', () => {
    expect(retryDelayMs(1, delays, always(0))).toBe(50);
    const rng = new SeededRng(7);
    const drawn = Array.from({ length: 200 }, () => retryDelayMs(2, delays, rng));
    expect(Math.min(...drawn)).toBeGreaterThanOrEqual(100);
    expect(Math.max(...drawn)).toBeLessThanOrEqual(200);
    expect(new Set(drawn).size).toBeGreaterThan(190);
  });
});

import { describe, expect, it } from 'vitest';
import { RestartBackoff } from './restart-backoff.js';

describe('RestartBackoff', () => {
  it('doubles from 0.1 s to 5 s', () => {
    const backoff = new RestartBackoff();
    const delays = Array.from({ length: 8 }, (_, second) => backoff.nextDelayMs(second * 1_000));
    expect(delays).toEqual([100, 200, 400, 800, 1_600, 3_200, 5_000, 5_000]);
  });

  it('starts anew after 10 s of peace, counted from the last restart', () => {
    const backoff = new RestartBackoff();
    backoff.nextDelayMs(0);
    backoff.noteRestart(8_000);
    expect(backoff.nextDelayMs(18_000)).toBe(200);
    expect(backoff.nextDelayMs(28_001)).toBe(100);
  });
});

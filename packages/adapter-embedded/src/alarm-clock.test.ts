import { describe, expect, it } from 'vitest';
import { preciseClock, sleep } from './alarm-clock.js';

describe('preciseClock', () => {
  it('rings never early, and never inside the call', async () => {
    for (const durationMs of [0, 0.3, 2.6, 10.2]) {
      const fromMs = preciseClock.nowMs();
      let rung = false;
      const ringing = sleep(preciseClock, durationMs).then(() => {
        rung = true;
      });
      expect(rung).toBe(false);
      await ringing;
      expect(preciseClock.nowMs() - fromMs).toBeGreaterThanOrEqual(durationMs);
    }
  });

  it.each([0, 5])('does not ring when the alarm of %d ms is taken back', async (delayMs) => {
    let rung = false;
    preciseClock.ringAt(preciseClock.nowMs() + delayMs, () => {
      rung = true;
    })();
    await sleep(preciseClock, delayMs + 5);
    expect(rung).toBe(false);
  });
});

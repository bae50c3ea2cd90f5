import { ManualClock } from '@equipoise/testkit';
import { describe, expect, it } from 'vitest';
import { preciseClock, sleep, waitAtMost } from './alarm-clock.js';

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

describe('waitAtMost', () => {
  it('ends with the work, and takes its alarm back', async () => {
    const clock = new ManualClock();
    await waitAtMost(clock, 100, Promise.reject(new Error('failed')));
    expect(clock.pendingAlarms).toBe(0);
  });

  it('ends at the limit when the work does not', async () => {
    const clock = new ManualClock();
    let ended = false;
    void waitAtMost(clock, 100, new Promise(() => {})).then(() => {
      ended = true;
    });
    await clock.advanceTo(99);
    expect(ended).toBe(false);
    await clock.advanceTo(100);
    expect(ended).toBe(true);
  });
});

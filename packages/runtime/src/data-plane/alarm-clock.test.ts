import { expect, it } from 'vitest';
import { monotonicClock } from './alarm-clock.js';

it('never rings early, nor inside the call, nor when taken back', async () => {
  const early: number[] = [];
  let rings = 0;
  const ring = (atMs: number) => {
    rings += 1;
    if (monotonicClock.nowMs() < atMs) early.push(atMs);
  };
  await new Promise<void>((resolve) => {
    const startMs = monotonicClock.nowMs();
    for (let i = -5; i < 60; i++) {
      const atMs = startMs + i * 0.37;
      monotonicClock.ringAt(atMs, () => ring(atMs));
    }
    monotonicClock.ringAt(startMs + 1, () => ring(Number.NaN))();
    expect(rings).toBe(0);
    monotonicClock.ringAt(startMs + 40, resolve);
  });
  expect([rings, early]).toEqual([65, []]);
});

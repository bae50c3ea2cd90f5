import { expect, it } from 'vitest';
import { nextRestart, noRestarts, restartEnded } from './restart-backoff.js';

function delays(instants: readonly number[]): number[] {
  let history = noRestarts;
  return instants.map((nowMs) => {
    const next = nextRestart(history, nowMs);
    history = restartEnded(next.history, nowMs + next.delayMs);
    return next.delayMs;
  });
}

it('doubles up to 5 s while trouble goes on', () => {
  expect(delays(Array.from({ length: 8 }, (_, i) => i * 6_000))).toEqual([
    100, 200, 400, 800, 1_600, 3_200, 5_000, 5_000,
  ]);
});

it('starts anew after 10 s of steadiness, counted from the end of the restart', () => {
  expect(delays([0, 10_100, 20_301])).toEqual([100, 200, 100]);
});

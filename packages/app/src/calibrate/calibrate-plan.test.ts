import { expect, it } from 'vitest';
import { answerTimeoutMs } from './calibrate-plan.js';

it.each([
  [400, 30_000],
  [10_000, 30_000],
  [30_000, 70_000],
  [120_000, 250_000],
])('waits for an answer of an SLO of %i ms for %i ms', (latencyMs, timeoutMs) => {
  expect(answerTimeoutMs({ latencyMs, percentile: 99 })).toBe(timeoutMs);
});

import { expect, it } from 'vitest';
import { servedAnswerMarginMs } from './pipeline-spec.js';

it.each([
  [20, 0.4],
  [400, 8],
  [500, 10],
  [60_000, 10],
])('of a latency of %d ms a server keeps %d ms for the answer', (latencyMs, marginMs) => {
  expect(servedAnswerMarginMs({ latencyMs })).toBeCloseTo(marginMs, 12);
});

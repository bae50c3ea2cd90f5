import { expect, it } from 'vitest';
import { defaultPriorities, priorityLevel, servedAnswerMarginMs } from './pipeline-spec.js';

it.each([
  ['none stated', undefined, 1],
  ['0 stands for none', 0, 1],
  ['the most urgent', 1, 0],
  ['the last', 3, 2],
  ['beyond the last', 99, 2],
])('%s', (_, priority, level) => {
  expect(priorityLevel(defaultPriorities, priority)).toBe(level);
});

it.each([
  [20, 0.4],
  [400, 8],
  [500, 10],
  [60_000, 10],
])('of a latency of %d ms a server keeps %d ms for the answer', (latencyMs, marginMs) => {
  expect(servedAnswerMarginMs({ latencyMs })).toBeCloseTo(marginMs, 12);
});

import { expect, it } from 'vitest';
import { drainDeadlineMs } from './serving-ports.js';

it.each([
  ['of a quick pipeline', 100, false, 30_000],
  ['of one whose requests have longer', 45_000, false, 45_000],
  ['of a quick one that passes requests on', 100, true, 30_000],
  ['of one that waits twice the SLO for the other server first', 20_000, true, 60_000],
])('the drain %s', (_, latencyMs, shares, expected) => {
  expect(drainDeadlineMs({ latencyMs }, shares)).toBe(expected);
});

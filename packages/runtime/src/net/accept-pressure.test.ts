import { expect, it } from 'vitest';
import { AcceptPressure } from './accept-pressure.js';

it('new clients count as waiting for 100 ms after a turn in which each socket had one', () => {
  let nowMs = 0;
  const pressure = new AcceptPressure(() => nowMs);
  expect(pressure.isHigh).toBe(false);
  pressure.noteFullTurn();
  nowMs = 99;
  expect(pressure.isHigh).toBe(true);
  nowMs = 100;
  expect(pressure.isHigh).toBe(false);
});

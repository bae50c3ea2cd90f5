import { expect, it } from 'vitest';
import { BytesInFlight } from './bytes-in-flight.js';

it('takes what fits, and anything while nothing is in flight', () => {
  const bytes = new BytesInFlight(10);
  expect([bytes.take(20), bytes.take(1), bytes.sum]).toEqual([true, false, 20]);
  bytes.release(20);
  expect([bytes.take(6), bytes.take(5), bytes.take(4), bytes.sum]).toEqual([true, false, true, 10]);
});

it('is not bounded when no bound is given, and gives nothing back that it has not taken', () => {
  const bytes = new BytesInFlight();
  expect([bytes.take(1e12), bytes.take(1e12)]).toEqual([true, true]);
  expect(() => bytes.release(3e12)).toThrow('no more bytes go than came');
});

it('keeps to another bound from when it is given', () => {
  const bytes = new BytesInFlight(10);
  bytes.take(8);
  bytes.setMost(4);
  expect([bytes.take(1), bytes.sum]).toEqual([false, 8]);
  bytes.setMost(9);
  expect([bytes.take(1), bytes.take(1)]).toEqual([true, false]);
  bytes.setMost();
  expect(bytes.take(1e12)).toBe(true);
});

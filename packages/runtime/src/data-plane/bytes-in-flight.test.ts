import { expect, it } from 'vitest';
import { BytesInFlight, tensorBytes } from './bytes-in-flight.js';

it('takes what fits, and anything while nothing is in flight', () => {
  const bytes = new BytesInFlight(10);
  expect([bytes.take(20), bytes.take(1), bytes.sum]).toEqual([true, false, 20]);
  bytes.release(20);
  expect([bytes.take(6), bytes.take(5), bytes.take(4), bytes.sum]).toEqual([true, false, true, 10]);
});

it('is not bounded when no bound is given, and gives nothing back that it has not taken', () => {
  const bytes = new BytesInFlight();
  expect([bytes.take(1e12), bytes.take(1e12)]).toEqual([true, true]);
  expect(() => bytes.release(3e12)).toThrow('released bytes were reserved before');
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

it('counts what numbers take, and of BYTES the holding of each element too, be it empty', () => {
  const numbers = { datatype: 'FP32', shape: [3], data: new Float32Array(3) } as const;
  const texts = { datatype: 'BYTES', shape: [2], data: ['', 'four'] } as const;
  const views = { datatype: 'BYTES', shape: [2], data: [new Uint8Array(), new Uint8Array(5)] } as const;
  expect(tensorBytes({ numbers })).toBe(12);
  expect(tensorBytes({ texts })).toBe(2 * 32 + 8);
  expect(tensorBytes({ numbers, views })).toBe(12 + 2 * 112 + 5);
});

import { expect, it } from 'vitest';
import { readGrpcTimeout } from './grpc-call.js';

it.each([
  ['2H', 7_200_000],
  ['3M', 180_000],
  ['10S', 10_000],
  ['99999999m', 99_999_999],
  ['1500u', 1.5],
  ['1n', 1e-6],
  ['', Number.NaN],
  ['S', Number.NaN],
  ['1', Number.NaN],
  ['1s', Number.NaN],
  ['-1S', Number.NaN],
  ['123456789S', Number.NaN],
  ['1S ', Number.NaN],
])('the header %j states %d ms', (header, ms) => {
  expect(readGrpcTimeout(header)).toBe(ms);
});

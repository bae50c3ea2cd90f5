import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { shortFloat } from './short-float.js';

const floats = fc.float({ noNaN: true, noDefaultInfinity: true });
const usual = fc.float({ min: Math.fround(1e-12), max: Math.fround(1e5), noNaN: true });
const digitsOf = (value: number): number => Math.abs(value).toExponential().split('e')[0]?.replace('.', '').length ?? 0;

/** Fewest digits that identify an FP32 number. */
function fewestDigits(value: number): number {
  for (let digits = 1; ; digits++) if (Math.fround(Number(value.toPrecision(digits))) === value) return digits;
}

describe('a short number', () => {
  it.each([
    [0.1, 0.1],
    [-0.123, -0.123],
    [16_777_216, 16_777_216],
    [1 / 3, 0.333_333_34],
    [1e-10, 1e-10],
    [0, 0],
    [3.4028234663852886e38, 3.4028234663852886e38],
    [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY],
    [Number.NaN, Number.NaN],
  ])('of %d is %d', (value, short) => {
    expect(shortFloat(Math.fround(value))).toBe(short);
  });

  it('keeps the sign of zero', () => {
    expect(shortFloat(-0)).toBe(-0);
  });

  it('is the same FP32 number (property)', () => {
    fc.assert(
      fc.property(fc.oneof(floats, usual), (value) => {
        const short = shortFloat(value);
        expect(Math.fround(short)).toBe(value);
        // A reader without double precision finds the same.
        expect(Math.fround(short * (1 + 2 ** -52))).toBe(value);
        expect(Math.fround(short * (1 - 2 ** -52))).toBe(value);
      }),
      { seed: 17, numRuns: 5000 },
    );
  });

  it('has at most nine digits, and six where six suffice (property)', () => {
    fc.assert(
      fc.property(usual, (value) => {
        const [digits, fewest] = [digitsOf(shortFloat(value)), fewestDigits(value)];
        expect(digits).toBeLessThanOrEqual(fewest <= 6 ? fewest : 9);
      }),
      { seed: 19, numRuns: 5000 },
    );
  });

  it('of a decimal number is this number (property)', () => {
    fc.assert(
      fc.property(fc.integer({ min: -999_999, max: 999_999 }), fc.integer({ min: 0, max: 6 }), (count, places) => {
        const decimal = count / 10 ** places;
        expect(shortFloat(Math.fround(decimal))).toBe(decimal);
      }),
      { seed: 21, numRuns: 2000 },
    );
  });
});

/**
 * FP32 numbers as numbers of few digits. As a JavaScript number, the FP32 number nearest to 0.1 is 0.10000000149011612;
 * nine digits identify every FP32 number. Shorter texts take less time to write, send and parse.
 */

const [FRACTION_BITS, BIAS] = [23, 127];
/** Fewest digits that are tried, and the most that are needed. */
const DIGITS = { fewest: 6, most: 9 };
/** Larger powers of ten are not exact. */
const MOST_POWER = 22;

const asFloat = new Float32Array(1);
const asBits = new Int32Array(asFloat.buffer);

/**
 * By the biased exponent of an FP32 number, a power of ten: times this, a number has six or seven digits before the
 * point. NaN for numbers that stay as they are, because they are very large or small.
 */
const scales = Float64Array.from({ length: 256 }, (_, exponent) => {
  const power = DIGITS.fewest - 1 - Math.floor(Math.log10(2 ** (exponent - BIAS)));
  return power >= 0 && power + DIGITS.most - DIGITS.fewest <= MOST_POWER ? 10 ** power : Number.NaN;
});

/** A number of at most nine digits, from 1e-14 to 1e6, that is `value` as FP32. Other numbers stay as they are. */
export function shortFloat(value: number): number {
  asFloat[0] = value;
  let scale = scales[((asBits[0] as number) >> FRACTION_BITS) & 0xff] as number;
  for (let digits = DIGITS.fewest; digits <= DIGITS.most; digits++) {
    const short = Math.round(value * scale) / scale;
    // Slightly further away, so that it is not halfway to the next FP32 number.
    if (Math.fround(short + (short - value) * 1e-6) === value) return short;
    scale *= 10;
  }
  return value;
}

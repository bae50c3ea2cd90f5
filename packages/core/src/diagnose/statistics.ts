/** Tests of the diagnosis. Neighboring seconds depend on each other, so values are compared by blocks of seconds. */
import { studentQuantile } from '../kernel/student-quantile.js';

/** Probability of a false alarm in one diagnosis, over all tests. */
export const FALSE_ALARM = 0.01;

export interface Interval {
  readonly value: number;
  readonly low: number;
  readonly high: number;
}

/** Blocks of a numerator and a denominator. */
export type Pairs = readonly (readonly [number, number])[];

/** ln(ΣY ÷ ΣX) and its standard error by blocks (ratio estimator). Undefined without both sums. */
function logRatio(pairs: Pairs): { readonly log: number; readonly error: number; readonly blocks: number } | undefined {
  const used = pairs.filter(([, x]) => x > 0);
  const n = used.length;
  const [sumY, sumX] = used.reduce(([y, x], pair) => [y + pair[0], x + pair[1]] as const, [0, 0] as const);
  if (!(sumY > 0) || !(sumX > 0)) return undefined;
  const ratio = sumY / sumX;
  const residual = used.reduce((sum, [y, x]) => sum + (y - ratio * x) ** 2, 0);
  const error = n < 2 ? Number.POSITIVE_INFINITY : Math.sqrt((residual * n) / (n - 1)) / sumY;
  return { log: Math.log(ratio), error, blocks: n };
}

/** Difference of ln ratios, with an interval; `before` undefined compares with ln 1. */
export function logChange(during: Pairs, before: Pairs | undefined, alpha: number): Interval | undefined {
  const now = logRatio(during);
  const then = before === undefined ? { log: 0, error: 0, blocks: Number.POSITIVE_INFINITY } : logRatio(before);
  if (now === undefined || then === undefined) return undefined;
  const value = now.log - then.log;
  const degrees = Math.min(now.blocks, then.blocks) - 1;
  const half = studentQuantile(1 - alpha / 2, degrees) * Math.hypot(now.error, then.error);
  return Number.isFinite(half) ? { value, low: value - half, high: value + half } : undefined;
}

/** The ratio of the pairs against one that is known exactly, with an interval. */
export const logChangeFrom = (known: number, during: Pairs, alpha: number): Interval | undefined =>
  logChange(
    during.map(([y, x]) => [y, known * x] as const),
    undefined,
    alpha,
  );

/** Fewer blocks do not tell how much counts vary. */
const FEWEST_BLOCKS = 3;

/**
 * The same for one count and its time. Its noise is that of the counts before: a burst of two seconds varies too much
 * within its own block.
 */
export function logChangeOfCount([count, time]: Pairs[number], before: Pairs, alpha: number): Interval | undefined {
  const [counted, timed] = before.reduce(([y, x], pair) => [y + pair[0], x + pair[1]] as const, [0, 0] as const);
  if (before.length < FEWEST_BLOCKS || !(counted > 0) || !(count > 0) || !(time > 0)) return undefined;
  const rate = counted / timed;
  const spread = before.reduce((sum, [y, x]) => sum + (y - rate * x) ** 2 / (rate * x), 0) / (before.length - 1);
  const error = Math.sqrt(Math.max(1, spread) * (1 / (rate * time) + 1 / counted));
  const value = Math.log(count / time / rate);
  const half = studentQuantile(1 - alpha / 2, before.length - 1) * error;
  return { value, low: value - half, high: value + half };
}

/**
 * P(X ≥ count) for Poisson X, continued to fractional counts: the regularized lower incomplete gamma function P(count,
 * mean), by its series.
 */
export function poissonTail(count: number, mean: number): number {
  if (count <= 0) return 1;
  if (mean <= 0) return 0;
  if (mean > count + 40 * Math.sqrt(count + 1)) return 1;
  let term = 1 / count;
  let sum = term;
  for (let i = 1; i < 10_000 && term > sum * 1e-15; i++) {
    term *= mean / (count + i);
    sum += term;
  }
  return Math.min(1, sum * Math.exp(count * Math.log(mean) - mean - logGamma(count)));
}

/** ln Γ(x) for x > 0: Stirling's series from 8 on, and the recurrence below. */
function logGamma(x: number): number {
  if (x < 8) return logGamma(x + 1) - Math.log(x);
  const series = 1 / (12 * x) - 1 / (360 * x ** 3) + 1 / (1260 * x ** 5);
  return (x - 0.5) * Math.log(x) - x + Math.log(2 * Math.PI) / 2 + series;
}

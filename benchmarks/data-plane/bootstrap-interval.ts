/** Bootstrap interval of a mean (Efron 1979) of a few independent values. */
import { type MeanInterval, SeededRng } from '@equipoise/core/model';
import { normalQuantile } from '../../packages/core/src/kernel/normal-quantile.js';
import { studentQuantile } from '../../packages/core/src/kernel/student-quantile.js';

const RESAMPLES = 20_000;
const SEED = 1;

/**
 * 95 % interval by percentiles of resampled means. With few values these percentiles are too close together, so they are
 * moved outwards as Student's quantile is (expanded percentile interval, Hesterberg 2015). Requires at least one value.
 */
export function bootstrapMean95(values: readonly number[]): MeanInterval {
  const n = values.length;
  const mean = values.reduce((sum, value) => sum + value, 0) / n;
  if (n < 2) return { mean, low: Number.NEGATIVE_INFINITY, high: Number.POSITIVE_INFINITY };
  const rng = new SeededRng(SEED);
  const means = Float64Array.from({ length: RESAMPLES }, () => {
    let sum = 0;
    for (let i = 0; i < n; i++) sum += values[Math.floor(rng.next() * n)] as number;
    return sum / n;
  }).sort();
  const tail = tailBeyond(studentQuantile(0.975, n - 1) * Math.sqrt(n / (n - 1)));
  const at = (fraction: number) => means[Math.round(fraction * (RESAMPLES - 1))] as number;
  return { mean, low: at(tail), high: at(1 - tail) };
}

/** Probability that a standard normal value is below −z, by bisection of the quantile. */
function tailBeyond(z: number): number {
  let [low, high] = [1e-12, 0.5];
  for (let step = 0; step < 60; step++) {
    const middle = (low + high) / 2;
    if (normalQuantile(middle) < -z) low = middle;
    else high = middle;
  }
  return high;
}

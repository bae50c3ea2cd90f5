/** Random numbers of the laws that arrival processes are made of, each of mean 1 and drawn from an `Rng`. */
import { normalQuantile } from './normal-quantile.js';
import type { Rng } from './rng.js';

/** One exponential number of mean 1. */
export function exponential(rng: Rng): number {
  return -Math.log(1 - rng.next());
}

/** One gamma number of mean 1 and shape `shape` (Marsaglia and Tsang, 2000; shapes below 1 by their power rule). */
export function gammaOfMeanOne(shape: number, rng: Rng): number {
  const boosted = shape < 1 ? shape + 1 : shape;
  const d = boosted - 1 / 3;
  const c = 1 / Math.sqrt(9 * d);
  for (;;) {
    const x = normalQuantile(rng.next());
    const v = (1 + c * x) ** 3;
    if (!(v > 0) || Math.log(1 - rng.next()) >= 0.5 * x * x + d - d * v + d * Math.log(v)) continue;
    const scaled = shape < 1 ? d * v * (1 - rng.next()) ** (1 / shape) : d * v;
    return scaled / shape;
  }
}

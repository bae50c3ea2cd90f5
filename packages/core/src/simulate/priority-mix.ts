import { invariant } from '../kernel/invariant.js';
import type { Rng } from '../kernel/rng.js';

/** Priority 1, 2, … by request number, from a random stream of its own. `mix` has the fraction per priority. */
export function priorityMix(mix: readonly number[], rng: Rng): (sequence: number) => number {
  const sum = mix.reduce((total, fraction) => total + fraction, 0);
  invariant(Math.abs(sum - 1) < 1e-6, `the fractions of a mix of priorities sum to 1, not ${sum}`);
  return (sequence) => {
    let left = rng.fork(`priority/${sequence}`).next();
    for (const [index, fraction] of mix.entries()) {
      left -= fraction;
      if (left < 0) return index + 1;
    }
    return mix.length;
  };
}

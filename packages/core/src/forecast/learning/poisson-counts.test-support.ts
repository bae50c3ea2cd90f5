import { drawExponential, type Rng } from '../../kernel/rng.js';

/** Number of Poisson arrivals in one second at `rateRps`. */
export function poissonCount(rng: Rng, rateRps: number): number {
  let count = -1;
  for (let at = 0; at < rateRps; count++) at += drawExponential(rng);
  return count;
}

/**
 * Arrival processes of the micro-simulation, written as gaps between groups of items that arrive together: Poisson, gamma-distributed
 * gaps (renewal; coefficient of variation `cv`), and a Markov-modulated Poisson process of two states.
 */

import type { Rng } from '../kernel/rng.js';
import { normalQuantile } from '../profile/normal-quantile.js';

/** Pattern of arrivals with a mean rate given apart; an MMPP multiplies the rate by a factor in each state (mean holding times in ms). */
export type ArrivalProcess =
  | { readonly kind: 'poisson' }
  | { readonly kind: 'gamma'; readonly cv: number }
  | {
      readonly kind: 'mmpp';
      readonly highFactor: number;
      readonly lowFactor: number;
      readonly meanHighMs: number;
      readonly meanLowMs: number;
    };

const exponential = (rng: Rng): number => -Math.log(1 - rng.next());

/** One gamma number of mean 1 and shape `shape` (Marsaglia and Tsang, 2000; shapes below 1 by their power rule). */
function gammaOfMeanOne(shape: number, rng: Rng): number {
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

function fillMmpp(times: Float64Array, meanGapMs: number, process: ArrivalProcess & { kind: 'mmpp' }, rng: Rng): void {
  const highShare = process.meanHighMs / (process.meanHighMs + process.meanLowMs);
  let high = rng.next() < highShare;
  let now = 0;
  let until = exponential(rng) * (high ? process.meanHighMs : process.meanLowMs);
  for (let i = 0; i < times.length; ) {
    const factor = high ? process.highFactor : process.lowFactor;
    const next = now + (exponential(rng) * meanGapMs) / factor;
    if (next < until) {
      times[i++] = next;
      now = next;
      continue;
    }
    now = until;
    high = !high;
    until = now + exponential(rng) * (high ? process.meanHighMs : process.meanLowMs);
  }
}

/** Fills `times` with the arrival times (ms, ascending) of groups whose mean gap is `meanGapMs`. */
export function fillArrivals(times: Float64Array, meanGapMs: number, process: ArrivalProcess, rng: Rng): void {
  if (process.kind === 'mmpp') {
    fillMmpp(times, meanGapMs, process, rng);
    return;
  }
  const shape = process.kind === 'gamma' ? 1 / (process.cv * process.cv) : 1;
  let now = 0;
  for (let i = 0; i < times.length; i++) {
    now += meanGapMs * (process.kind === 'poisson' ? exponential(rng) : gammaOfMeanOne(shape, rng));
    times[i] = now;
  }
}

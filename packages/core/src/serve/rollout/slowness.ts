/**
 * Sequential test of service times. It tells if a new variant is slower than its profile by more than its plan can
 * carry.
 *
 * For each ratio of a grid, each batch bets that it takes longer than `ratio` × its profile. With u = fraction of
 * profiled batches below time ÷ ratio, a bet λ multiplies the evidence by 1 + λ (2u − 1). If the true ratio is not
 * larger, u averages at most ½. Then the evidence exceeds 1/α with a chance of at most α, by Ville's inequality.
 * Source: Waudby-Smith and Ramdas, Estimating means of bounded random variables by betting, 2024.
 *
 * u is bounded, so neither long tails nor a larger spread than profiled do harm if the median is right.
 */
import type { SlownessEvidence } from '../../model/canary-counts.js';

export interface CanaryProfile {
  meanMs(batchSize: number): number;
  /** Fraction of batches that take less than `ms`, plus half of equal ones. */
  fractionBelow(batchSize: number, ms: number): number;
  /** True if the plan carries `itemsPerSecond` at the stage while batches take `slowness` × the profile. Monotone. */
  carries(slowness: number, itemsPerSecond: number): boolean;
}

/** Smallest ratio that counts as slow. Profiles may be a tenth off; the feedback of service times allows the same. */
const LEAST_RATIO = 1.1;
/** Grid of ratios: fine up to twice the profile, then coarse up to nine times. */
const [FINE, FINE_STEP, COARSE, COARSE_STEP] = [24, 1.025, 12, 1.15];
const ratios: readonly number[] = Array.from(
  { length: FINE + COARSE },
  (_, i) => LEAST_RATIO * FINE_STEP ** Math.min(i, FINE) * COARSE_STEP ** Math.max(0, i - FINE),
);
const bets: readonly number[] = [0.12, 0.35, 0.65, 0.95];
/** Below this, evidence is no sign of slowness. */
const LEAST_EVIDENCE = 0.01;
/** Lower bound of the evidence, so that a variant that becomes slow later is still found. */
const FLOOR = 1e-9;

export class SlownessTest {
  readonly #profile: CanaryProfile;
  readonly #evidence = new Float64Array(ratios.length * bets.length).fill(1);
  #measuredMs = 0;
  #profiledMs = 0;

  constructor(profile: CanaryProfile) {
    this.#profile = profile;
  }

  note(batchSize: number, serviceMs: number): void {
    this.#measuredMs += serviceMs;
    this.#profiledMs += this.#profile.meanMs(batchSize);
    let at = 0;
    for (const ratio of ratios) {
      const excess = 2 * this.#profile.fractionBelow(batchSize, serviceMs / ratio) - 1;
      for (const bet of bets) {
        this.#evidence[at] = Math.max(FLOOR, (this.#evidence[at] as number) * (1 + bet * excess));
        at += 1;
      }
    }
  }

  /**
   * Evidence for the smallest ratio that the plan does not carry; undefined if it carries all ratios, or without signs
   * of slowness.
   */
  result(itemsPerSecond: number): SlownessEvidence | undefined {
    const slower = this.#against(0);
    if (slower < LEAST_EVIDENCE) return undefined;
    const first = firstIndex(ratios.length, (i) => !this.#profile.carries(ratios[i] as number, itemsPerSecond));
    const tooSlow = ratios[first];
    if (tooSlow === undefined) return undefined;
    const measured = this.#measuredMs / this.#profiledMs;
    return { measured, tooSlow, itemsPerSecond, slower, evidence: this.#against(first) };
  }

  #against(index: number): number {
    const from = index * bets.length;
    return this.#evidence.subarray(from, from + bets.length).reduce((sum, each) => sum + each, 0) / bets.length;
  }
}

/** First index below `length` for which the monotone `has` is true; else `length`. */
function firstIndex(length: number, has: (index: number) => boolean): number {
  let [from, to] = [0, length];
  while (from < to) {
    const middle = (from + to) >> 1;
    if (has(middle)) to = middle;
    else from = middle + 1;
  }
  return from;
}

/** Bootstrap (Efron 1979) of a score of samples. Works for scores other than means, such as F1. */
import type { Rng } from '../kernel/rng.js';

/**
 * Score of the samples with these numbers: a fraction 0…1. A number may occur several times. NaN if the score is
 * undefined, such as recall without a positive sample.
 */
export type ScoreOf = (samples: readonly number[]) => number;

/** Sample numbers of each resample. */
export type Resamples = readonly (readonly number[])[];

const RESAMPLES = 200;

export function drawResamples(samples: readonly number[], rng: Rng): Resamples {
  return Array.from({ length: RESAMPLES }, () =>
    samples.map(() => samples[Math.floor(rng.next() * samples.length)] as number),
  );
}

export interface BootstrapScores {
  readonly score: number;
  /** By resample. Scores of two combinations on the same resamples are paired. */
  readonly resampled: readonly number[];
}

export function bootstrapScores(samples: readonly number[], resamples: Resamples, scoreOf: ScoreOf): BootstrapScores {
  return { score: scoreOf(samples), resampled: resamples.map((resample) => scoreOf(resample)) };
}

export interface Spread {
  readonly variance: number;
  /** Number of samples that the score counts. Recall counts only the positive ones. */
  readonly counted: number;
}

/** Spread of resampled scores; undefined if fewer than two of them are defined. */
export function spreadOf(resampled: readonly number[], samples: number): Spread | undefined {
  // Loops: this runs for every pair of combinations.
  let [defined, sum, squares] = [0, 0, 0];
  for (const score of resampled)
    if (!Number.isNaN(score)) {
      defined += 1;
      sum += score;
    }
  if (defined < 2) return undefined;
  const mean = sum / defined;
  for (const score of resampled) if (!Number.isNaN(score)) squares += (score - mean) ** 2;
  // A resample misses all of m counted samples, so that its score is undefined, with probability e^−m.
  const counted = -Math.log(1 - defined / resampled.length);
  return { variance: squares / (defined - 1), counted: Math.min(samples, counted) };
}

export interface IntervalInput {
  readonly samples: number;
  /** Normal quantile. */
  readonly z: number;
  /** Fraction of the population that is not among the samples; 1 if the population is unlimited. */
  readonly unseenFraction: number;
}

/**
 * Wilson's interval (1927) with the bootstrap variance in place of p(1 − p)/n. Equal outcomes show no spread, but the interval
 * has a width: 16 of 16 right give 0.806 to 1 at z = 1.96.
 */
export function intervalOf(
  { score, resampled }: BootstrapScores,
  { samples, z, unseenFraction }: IntervalInput,
): readonly [number, number] {
  const spread = spreadOf(resampled, samples);
  if (spread === undefined) return [0, 1];
  const few = (unseenFraction * z ** 2) / spread.counted;
  const center = (score + few / 2) / (1 + few);
  const half = Math.sqrt(z ** 2 * unseenFraction * spread.variance + few ** 2 / 4) / (1 + few);
  return [Math.min(score, Math.max(0, center - half)), Math.max(score, Math.min(1, center + half))];
}

/** Percentile bootstrap (Efron 1979) of a score of samples. Works for scores other than means, such as F1. */
import type { Rng } from '../kernel/rng.js';

/** Score of the samples with these numbers: a fraction 0…1. A number may occur several times. */
export type ScoreOf = (samples: readonly number[]) => number;

/** Sample numbers of each resample. */
export type Resamples = readonly (readonly number[])[];

const RESAMPLES = 200;
/** Number of resampled scores beyond each end of the interval. */
const BEYOND = 4;

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

/** 95 % interval: from the 5th smallest to the 5th largest of 200 resampled scores. */
export function interval95({ resampled }: BootstrapScores): readonly [number, number] {
  const sorted = resampled.toSorted((a, b) => a - b);
  return [sorted[BEYOND] as number, sorted[sorted.length - 1 - BEYOND] as number];
}

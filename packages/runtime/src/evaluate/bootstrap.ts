/**
 * The 95 % interval of a score over n samples by the percentile bootstrap (Efron 1979): the samples are drawn anew n times with
 * replacement, 200 such sets are scored, and the interval runs from the 5th smallest to the 5th largest score. It works for scores that are no
 * mean, such as F1. All combinations see the same draws, so that their intervals can be compared.
 */
import type { Rng } from '@equipoise/core/model';

const RESAMPLES = 200;
/** Scores beyond each end of the interval: 2.5 % of the resamples, less the one at the end. */
const BEYOND = 4;

/** The sample numbers of every resample. */
export type Resamples = readonly Uint32Array[];

/** Draws the resamples of `sampleCount` samples. */
export function drawResamples(sampleCount: number, rng: Rng): Resamples {
  return Array.from({ length: RESAMPLES }, () =>
    Uint32Array.from({ length: sampleCount }, () => Math.floor(rng.next() * sampleCount)),
  );
}

/** The interval of `score` over `samples`. */
export function bootstrapInterval<Sample>(
  samples: readonly Sample[],
  resamples: Resamples,
  score: (samples: readonly Sample[]) => number,
): readonly [number, number] {
  const scores = resamples
    .map((numbers) => score(Array.from(numbers, (number) => samples[number] as Sample)))
    .sort((a, b) => a - b);
  return [scores[BEYOND] as number, scores[scores.length - 1 - BEYOND] as number];
}

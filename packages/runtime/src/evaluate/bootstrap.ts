/**
 * 95 % interval of a score by the percentile bootstrap (Efron 1979): 200 resamples of n samples with replacement; the
 * interval runs from the 5th smallest to the 5th largest score. Works for scores that are no mean, such as F1. All
 * combinations share the resamples, so their intervals are comparable.
 */
import type { Rng } from '@equipoise/core/model';

const RESAMPLES = 200;
/** Scores beyond each end: 2.5 % of the resamples, less the one at the end. */
const BEYOND = 4;

/** Sample indices of every resample. */
export type Resamples = readonly Uint32Array[];

export function drawResamples(sampleCount: number, rng: Rng): Resamples {
  return Array.from({ length: RESAMPLES }, () =>
    Uint32Array.from({ length: sampleCount }, () => Math.floor(rng.next() * sampleCount)),
  );
}

/** Interval of `score` over `samples`. */
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

import { doubledDelayMs, type Rng } from '@equipoise/core/model';

export interface RetryDelays {
  readonly shortestMs: number;
  readonly longestMs: number;
}

/** Exponential back-off after `failures` (≥ 1): uniform between half and all of the doubled delay. */
export function retryDelayMs(failures: number, { shortestMs, longestMs }: RetryDelays, rng: Rng): number {
  return doubledDelayMs(failures, { shortestMs, longestMs }) * (0.5 + 0.5 * rng.next());
}

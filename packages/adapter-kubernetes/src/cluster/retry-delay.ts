/** How long to wait after failures in a row: doubling from the shortest to the longest, each scattered so that many do not come at once. */
import { doubledDelayMs, type Rng } from '@equipoise/core/model';

/** Bounds of a delay, in milliseconds. */
export interface RetryDelays {
  readonly shortestMs: number;
  readonly longestMs: number;
}

/** The delay after `failures` failures in a row (1 or more), uniform between half of the doubled one and the whole. */
export function retryDelayMs(failures: number, { shortestMs, longestMs }: RetryDelays, rng: Rng): number {
  return doubledDelayMs(failures, { shortestMs, longestMs }) * (0.5 + 0.5 * rng.next());
}

/** Exponential back-off: the delay doubles with each failure in a row. */

/** Bounds of a delay in ms. */
export interface DelayBounds {
  readonly shortestMs: number;
  readonly longestMs: number;
}

/** Delay in ms after `failures` failures in a row (1 or more). */
export function doubledDelayMs(failures: number, { shortestMs, longestMs }: DelayBounds): number {
  return Math.min(longestMs, shortestMs * 2 ** Math.min(failures - 1, 30));
}

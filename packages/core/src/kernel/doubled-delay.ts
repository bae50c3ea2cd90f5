export interface DelayBounds {
  readonly shortestMs: number;
  readonly longestMs: number;
}

/** Delay (ms) after `failures` (at least 1) consecutive failures. */
export function doubledDelayMs(failures: number, { shortestMs, longestMs }: DelayBounds): number {
  return Math.min(longestMs, shortestMs * 2 ** Math.min(failures - 1, 30));
}

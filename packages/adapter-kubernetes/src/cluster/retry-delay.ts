import { AppError, doubledDelayMs, type Rng } from '@equipoise/core/model';

export interface RetryDelays {
  readonly shortestMs: number;
  readonly longestMs: number;
}

const LONGEST_RETRY_AFTER_MS = 300_000;

/** Exponential back-off after `failures` (≥ 1): uniform between half and all of the doubled delay. */
export function retryDelayMs(failures: number, { shortestMs, longestMs }: RetryDelays, rng: Rng): number {
  return doubledDelayMs(failures, { shortestMs, longestMs }) * (0.5 + 0.5 * rng.next());
}

/** Delay that the server asked for; 0 if it asked for none. */
export function retryAfterMs(error: unknown): number {
  const seconds = error instanceof AppError ? error.details['retryAfterSeconds'] : undefined;
  return typeof seconds === 'number' && seconds > 0 ? Math.min(1000 * seconds, LONGEST_RETRY_AFTER_MS) : 0;
}

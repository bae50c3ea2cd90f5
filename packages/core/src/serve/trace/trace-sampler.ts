/**
 * Decides which traces are kept. At the start of a request (head): a fixed fraction, and those whose caller samples
 * them. At its end (tail): failed, dropped and slow ones. Every cause except the fraction is limited by rate, so that
 * neither callers nor an overload can keep the exporter busy.
 */
import type { Rng } from '../../kernel/rng.js';
import { type RateLimit, TokenBucket } from '../token-bucket.js';

/** Reason to keep a trace: by chance, by the caller, because the request was slow, or was not completed. */
export type TraceCause = 'sampled' | 'requested' | 'slow' | 'failed';

/** `fraction` is 0…1. */
export interface TraceSampling {
  readonly fraction: number;
  /** Limit of each cause. Default: 20 traces per second, at most 100 at once. */
  readonly limit?: RateLimit;
}

const DEFAULT_LIMIT: RateLimit = { rps: 20, burst: 100 };

export class TraceSampler {
  readonly #fraction: number;
  readonly #rng: Rng;
  readonly #buckets: Readonly<Record<Exclude<TraceCause, 'sampled'>, TokenBucket>>;

  constructor({ fraction, limit = DEFAULT_LIMIT }: TraceSampling, rng: Rng) {
    this.#fraction = fraction;
    this.#rng = rng;
    this.#buckets = {
      requested: new TokenBucket(limit),
      slow: new TokenBucket(limit),
      failed: new TokenBucket(limit),
    };
  }

  /** Cause at the start. `isParentSampled` is undefined if the request has no parent. */
  begin(isParentSampled: boolean | undefined, nowMs: number): TraceCause | undefined {
    if (isParentSampled === undefined) return this.#rng.next() < this.#fraction ? 'sampled' : undefined;
    return isParentSampled && this.#buckets.requested.take(nowMs) === 0 ? 'requested' : undefined;
  }

  /** Cause at the end, for a request without a cause at its start. */
  end(outcome: 'failed' | 'slow' | 'good', nowMs: number): TraceCause | undefined {
    return outcome !== 'good' && this.#buckets[outcome].take(nowMs) === 0 ? outcome : undefined;
  }
}

/**
 * Latency distribution of the last hour, in blocks of a minute: logarithmic buckets with eight per octave, so a bucket is
 * 9 % wide. All blocks together need 40 KB.
 */
import type { TimeRange } from './history.js';
import type { LatencyBucket } from './history-point.js';
import { STEP_MS } from './history-window.js';

const PER_OCTAVE = 8;
const SMALLEST_MS = 2 ** -4;
const OCTAVES = 22;
const BUCKETS = PER_OCTAVE * OCTAVES;
/** An hour, and the block that is being filled. */
const BLOCKS = 61;
const BLOCK_MS = 60_000;

const bucketOf = (latencyMs: number): number =>
  Math.min(BUCKETS - 1, Math.max(0, Math.ceil(PER_OCTAVE * Math.log2(latencyMs / SMALLEST_MS))));

const upToMs = (bucket: number): number => SMALLEST_MS * 2 ** (bucket / PER_OCTAVE);

export class LatencyBlocks {
  readonly #counts = Array.from({ length: BLOCKS }, () => new Float32Array(BUCKETS));
  /** End of each block; 0 before its first use. */
  readonly #endsAtEpochMs = new Float64Array(BLOCKS);
  #current = 0;
  #advancedAtEpochMs = 0;

  record(latencyMs: number): void {
    const counts = this.#counts[this.#current] as Float32Array;
    const bucket = bucketOf(latencyMs);
    counts[bucket] = (counts[bucket] as number) + 1;
  }

  /**
   * Ends a second. The first second of a block sets the block's minute. If the clock was set back, all older blocks go back
   * with it.
   */
  advance(atEpochMs: number): void {
    if (atEpochMs <= this.#advancedAtEpochMs) this.#setBack(this.#advancedAtEpochMs + STEP_MS - atEpochMs);
    this.#advancedAtEpochMs = atEpochMs;
    const endsAtEpochMs = this.#endsAtEpochMs[this.#current] as number;
    if (endsAtEpochMs === 0) this.#endsAtEpochMs[this.#current] = atEpochMs + BLOCK_MS - STEP_MS;
    else if (atEpochMs >= endsAtEpochMs) {
      this.#current = (this.#current + 1) % BLOCKS;
      this.#endsAtEpochMs[this.#current] = atEpochMs + BLOCK_MS;
      this.#counts[this.#current]?.fill(0);
    }
  }

  #setBack(durationMs: number): void {
    for (const [block, end] of this.#endsAtEpochMs.entries())
      if (end !== 0) this.#endsAtEpochMs[block] = end - durationMs;
  }

  /** Buckets of all blocks that overlap the range, without empty buckets at both ends. */
  window({
    fromEpochMs = Number.NEGATIVE_INFINITY,
    toEpochMs = Number.POSITIVE_INFINITY,
  }: TimeRange = {}): readonly LatencyBucket[] {
    const sums = new Float64Array(BUCKETS);
    for (const [block, counts] of this.#counts.entries()) {
      const end = this.#endsAtEpochMs[block] as number;
      const isUsed = end !== 0 || block === this.#current;
      if (!isUsed || (end !== 0 && (end <= fromEpochMs || end - BLOCK_MS >= toEpochMs))) continue;
      for (const [bucket, count] of counts.entries()) sums[bucket] = (sums[bucket] as number) + count;
    }
    const first = sums.findIndex((count) => count > 0);
    if (first === -1) return [];
    const last = sums.findLastIndex((count) => count > 0);
    return Array.from({ length: last - first + 1 }, (_, i) => ({
      upToMs: upToMs(first + i),
      count: sums[first + i] as number,
    }));
  }
}

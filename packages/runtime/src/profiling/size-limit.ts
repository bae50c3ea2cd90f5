/**
 * Which larger batch sizes cannot matter, seen from the ones that were measured on the same cores:
 * - a smaller one already exceeds the SLO alone (its median is above the latency target), or
 * - the median time per item has not fallen, by 2 % at least, for two sizes in a row: a larger batch would only make its items wait, or
 * - a smaller one failed, as it does in models of a fixed batch size.
 */
import type { MeasuredPoint, SkipKind } from './measured-profile.js';

/** Sizes in a row whose time per item has not fallen before the rest is skipped. */
const FLAT_SIZES = 2;
const LEAST_GAIN = 0.02;

/** Why the sizes from here on are skipped. */
export interface SkipReason {
  readonly kind: SkipKind;
  readonly reason: string;
}

/** Follows the sizes of one core count, ascending, and says why the next ones need not be measured. */
export class SizeLimit {
  readonly #sloLatencyMs: number;
  #bestItemMs = Number.POSITIVE_INFINITY;
  #flatSizes = 0;

  constructor(sloLatencyMs: number) {
    this.#sloLatencyMs = sloLatencyMs;
  }

  reasonAfter({ batchSize, p50Ms }: MeasuredPoint): SkipReason | undefined {
    const itemMs = p50Ms / batchSize;
    this.#flatSizes = itemMs > this.#bestItemMs * (1 - LEAST_GAIN) ? this.#flatSizes + 1 : 0;
    this.#bestItemMs = Math.min(this.#bestItemMs, itemMs);
    if (p50Ms > this.#sloLatencyMs) {
      const reason = `batch size ${batchSize} takes ${p50Ms.toFixed(1)} ms, more than the latency target of ${this.#sloLatencyMs} ms alone`;
      return { kind: 'over-slo', reason };
    }
    if (this.#flatSizes < FLAT_SIZES) return undefined;
    return { kind: 'dominated', reason: `time per item has not fallen for ${FLAT_SIZES} sizes up to ${batchSize}` };
  }
}

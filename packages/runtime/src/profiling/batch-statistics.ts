/**
 * Figures of a sample of batch service times, and how sure they are.
 *
 * Quantiles are nearest-rank (of 20 batches the p99 is the slowest). The 95 % interval of the mean is ±1.96·s/√n; that of a quantile p
 * runs between the order statistics of rank n·p ± 1.96·√(n·p·(1−p)), which assumes no shape. Both take the batches as independent.
 */

const Z95 = 1.959964;

/** Service times in ms, in the order they were measured. */
export class BatchTimes {
  readonly #serviceMs: number[] = [];
  #sum = 0;
  #sumOfSquares = 0;

  get count(): number {
    return this.#serviceMs.length;
  }

  get meanMs(): number {
    return this.#sum / this.count;
  }

  add(serviceMs: number): void {
    this.#serviceMs.push(serviceMs);
    this.#sum += serviceMs;
    this.#sumOfSquares += serviceMs * serviceMs;
  }

  /** Half the width of the mean's 95 % interval ÷ the mean; Infinity below two batches. */
  meanUncertaintyFraction(): number {
    const n = this.count;
    if (n < 2 || this.#sum === 0) return n < 2 ? Number.POSITIVE_INFINITY : 0;
    const variance = Math.max(0, (this.#sumOfSquares - this.#sum * this.meanMs) / (n - 1));
    return (Z95 * Math.sqrt(variance / n)) / this.meanMs;
  }

  /** Ascending copy of the times in ms. */
  sorted(): Float64Array {
    return Float64Array.from(this.#serviceMs).sort();
  }
}

/** The nearest-rank quantile (ms) at `fraction` (0…1) of ascending times; at least one time. */
export function quantileOfSorted(sortedMs: Float64Array, fraction: number): number {
  return sortedMs[Math.max(0, Math.ceil(fraction * sortedMs.length) - 1)] as number;
}

/** Half the width of the quantile's 95 % interval ÷ the quantile; Infinity while the sample is too small to bound it. */
export function quantileUncertaintyFraction(sortedMs: Float64Array, fraction: number): number {
  const n = sortedMs.length;
  const spread = Z95 * Math.sqrt(n * fraction * (1 - fraction));
  const low = Math.floor(n * fraction - spread) - 1;
  const high = Math.ceil(n * fraction + spread) - 1;
  if (low < 0 || high >= n) return Number.POSITIVE_INFINITY;
  return ((sortedMs[high] as number) - (sortedMs[low] as number)) / 2 / quantileOfSorted(sortedMs, fraction);
}

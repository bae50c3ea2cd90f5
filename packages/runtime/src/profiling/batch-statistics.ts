/**
 * Statistics of batch service times with 95 % intervals, assuming independent batches.
 *
 * Quantiles are nearest-rank. The interval of the mean is ±1.96·s/√n. The interval of a quantile p assumes no shape.
 * The number B of times below the quantile is binomial(n, p). So the quantile lies between order statistics l and u
 * with P(l ≤ B < u) ≥ 95 %.
 */

const Z95 = 1.959964;
const TAIL = 0.025;
const NEGLIGIBLE = 1e-15;

/** Times in ms, in measured order. */
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

  /** Ascending copy. */
  sorted(): Float64Array {
    return Float64Array.from(this.#serviceMs).sort();
  }
}

/** Nearest-rank quantile (ms) at `fraction` (0…1) of at least one time. */
export function quantileOfSorted(sortedMs: Float64Array, fraction: number): number {
  return sortedMs[Math.max(0, Math.ceil(fraction * sortedMs.length) - 1)] as number;
}

export interface QuantileInterval {
  readonly lowMs: number;
  readonly highMs: number;
}

/** Interval at `fraction` (0…1); undefined if the sample is too small. */
export function quantileInterval(sortedMs: Float64Array, fraction: number): QuantileInterval | undefined {
  const { low, high } = orderStatistics(sortedMs.length, fraction);
  if (low < 1 || high > sortedMs.length) return undefined;
  return { lowMs: sortedMs[low - 1] as number, highMs: sortedMs[high - 1] as number };
}

/** Closest ranks (from 1) around the quantile such that at most 2.5 % of the binomial lies beyond each rank. */
function orderStatistics(n: number, fraction: number): { readonly low: number; readonly high: number } {
  const mode = Math.min(n, Math.floor((n + 1) * fraction));
  const odds = fraction / (1 - fraction);
  const below = tailWeights((distance) => {
    const k = mode - distance;
    return (k + 1) / ((n - k) * odds);
  }, mode);
  const above = tailWeights((distance) => {
    const k = mode + distance;
    return ((n - k + 1) / k) * odds;
  }, n - mode);
  const sum = (weights: readonly number[]) => weights.reduce((total, weight) => total + weight, 0);
  const outside = TAIL * (sum(below) + 1 + sum(above));
  return { low: mode - stepsInside(below, outside), high: mode + 1 + stepsInside(above, outside) };
}

/** Binomial weights at distances 1, 2, … from the mode, relative to the weight of the mode, until negligible. */
function tailWeights(ratioAt: (distance: number) => number, most: number): readonly number[] {
  const weights: number[] = [];
  let weight = 1;
  for (let distance = 1; distance <= most && weight > NEGLIGIBLE; distance++) {
    weight *= ratioAt(distance);
    weights.push(weight);
  }
  return weights;
}

/** Fewest steps from the mode that leave at most the weight `outside` beyond them. */
function stepsInside(weights: readonly number[], outside: number): number {
  let steps = weights.length;
  for (let beyond = weights[steps - 1] ?? 0; steps > 0 && beyond <= outside; beyond += weights[steps - 1] ?? 0) steps--;
  return steps;
}

/** Statistics of counts over time. Empty lists give 0. */

/** In ms. A partial window before `toMs` does not count. */
export interface Windows {
  readonly fromMs: number;
  readonly toMs: number;
  readonly windowMs: number;
}

/** Number of instants (ms) in each window. */
export function countsInWindows(atMs: ArrayLike<number>, { fromMs, toMs, windowMs }: Windows): readonly number[] {
  const counts = new Array<number>(Math.max(0, Math.floor((toMs - fromMs) / windowMs))).fill(0);
  for (let i = 0; i < atMs.length; i++) {
    const window = Math.floor(((atMs[i] as number) - fromMs) / windowMs);
    if (window >= 0 && window < counts.length) counts[window] = (counts[window] as number) + 1;
  }
  return counts;
}

/** Drops an incomplete last block. */
export function blockSums(values: readonly number[], size: number): readonly number[] {
  return Array.from({ length: Math.floor(values.length / size) }, (_, block) => {
    let sum = 0;
    for (let i = block * size; i < (block + 1) * size; i++) sum += values[i] as number;
    return sum;
  });
}

export function meanOf(values: readonly number[]): number {
  return values.length === 0 ? 0 : values.reduce((sum, value) => sum + value, 0) / values.length;
}

export function medianOf(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  const [lower = 0, upper = 0] = [sorted[middle - 1], sorted[middle]];
  return sorted.length % 2 === 1 ? upper : (lower + upper) / 2;
}

export function centralMoment(values: readonly number[], order: number): number {
  const mean = meanOf(values);
  return meanOf(values.map((value) => (value - mean) ** order));
}

/** Variance ÷ mean: 1 for Poisson counts, 0 without counts. */
export function dispersionOf(counts: readonly number[]): number {
  const mean = meanOf(counts);
  return mean === 0 ? 0 : centralMoment(counts, 2) / mean;
}

/** Lags 1…`lags`; 0 for a constant list. */
export function autocorrelation(values: readonly number[], lags: number): readonly number[] {
  const mean = meanOf(values);
  const deviations = Float64Array.from(values, (value) => value - mean);
  const squares = deviations.reduce((sum, deviation) => sum + deviation * deviation, 0);
  return Array.from({ length: lags }, (_, i) => {
    let products = 0;
    for (let at = i + 1; at < deviations.length; at++) {
      products += (deviations[at] as number) * (deviations[at - i - 1] as number);
    }
    return squares === 0 ? 0 : products / squares;
  });
}

/** Quantile of ascending values, linear between neighbors. */
export function quantileOfSorted(sorted: ArrayLike<number>, fraction: number): number {
  const position = fraction * (sorted.length - 1);
  const below = sorted[Math.floor(position)] ?? 0;
  const above = sorted[Math.ceil(position)] ?? 0;
  return below + (position - Math.floor(position)) * (above - below);
}

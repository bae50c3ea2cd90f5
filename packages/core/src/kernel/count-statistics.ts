/** Windows in ms. A partial last window is ignored. */
export interface Windows {
  readonly fromMs: number;
  readonly toMs: number;
  readonly windowMs: number;
}

export function countsInWindows(atMs: ArrayLike<number>, { fromMs, toMs, windowMs }: Windows): readonly number[] {
  const counts = new Array<number>(Math.max(0, Math.floor((toMs - fromMs) / windowMs))).fill(0);
  for (let i = 0; i < atMs.length; i++) {
    const window = Math.floor(((atMs[i] as number) - fromMs) / windowMs);
    if (window >= 0 && window < counts.length) counts[window] = (counts[window] as number) + 1;
  }
  return counts;
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

/** Quantile of ascending values, linear between neighbors. */
export function quantileOfSorted(sorted: ArrayLike<number>, fraction: number): number {
  const position = fraction * (sorted.length - 1);
  const below = sorted[Math.floor(position)] ?? 0;
  const above = sorted[Math.ceil(position)] ?? 0;
  return below + (position - Math.floor(position)) * (above - below);
}

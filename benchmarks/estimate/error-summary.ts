/** estimate ÷ reference − 1, and the load factor. */
export interface EstimateError {
  readonly error: number;
  readonly loadFactor: number;
}

/** Percentages. `worstOptimistic`: most negative error at load factors up to 0.9 (0 if none). */
export interface ErrorSummary {
  readonly cases: number;
  readonly medianPercent: number;
  readonly p90Percent: number;
  readonly worstOptimisticPercent: number;
  readonly worstOptimisticAnyLoadPercent: number;
  readonly worstPessimisticPercent: number;
  readonly optimisticByOver25Percent: number;
}

const FULL_LOAD = 0.9;

function quantile(sorted: readonly number[], fraction: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(fraction * sorted.length))] ?? 0;
}

const percent = (fraction: number): number => Math.round(1000 * fraction) / 10;

export function errorSummary(errors: readonly EstimateError[]): ErrorSummary {
  const absolute = errors.map(({ error }) => Math.abs(error)).sort((a, b) => a - b);
  const below = errors.filter(({ loadFactor }) => loadFactor <= FULL_LOAD).map(({ error }) => error);
  const all = errors.map(({ error }) => error);
  return {
    cases: errors.length,
    medianPercent: percent(quantile(absolute, 0.5)),
    p90Percent: percent(quantile(absolute, 0.9)),
    worstOptimisticPercent: percent(Math.min(0, ...below)),
    worstOptimisticAnyLoadPercent: percent(Math.min(0, ...all)),
    worstPessimisticPercent: percent(Math.max(0, ...all)),
    optimisticByOver25Percent: percent(all.filter((error) => error < -0.25).length / Math.max(1, all.length)),
  };
}

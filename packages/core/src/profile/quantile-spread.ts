/** Distributions as lists of quantiles at fixed fractions, linear in between. */
import { quantileOfSorted } from '../kernel/count-statistics.js';

/** Fractions of the quantiles. */
export const spreadFractions: readonly number[] = [
  0, 0.01, 0.025, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9,
  0.925, 0.95, 0.965, 0.98, 0.99, 0.995, 0.999, 1,
];

/** Quantile at a fraction. */
export function spreadAt(spread: readonly number[], fraction: number): number {
  let above = 1;
  while (above < spreadFractions.length - 1 && (spreadFractions[above] as number) < fraction) above += 1;
  const from = spreadFractions[above - 1] as number;
  const weight = (fraction - from) / ((spreadFractions[above] as number) - from);
  return (1 - weight) * (spread[above - 1] as number) + weight * (spread[above] as number);
}

export function spreadMean(spread: readonly number[]): number {
  return spreadFractions
    .slice(1)
    .reduce(
      (sum, to, i) =>
        sum + ((to - (spreadFractions[i] as number)) * ((spread[i] as number) + (spread[i + 1] as number))) / 2,
      0,
    );
}

/** Quantiles of values at these fractions, linear between neighbours. */
export function quantilesAt(fractions: readonly number[], values: readonly number[]): readonly number[] {
  const sorted = values.toSorted((a, b) => a - b);
  return fractions.map((fraction) => quantileOfSorted(sorted, fraction));
}

export interface Weighted {
  readonly value: number;
  readonly weight: number;
}

/** Least values below which these fractions of the weight lie; fractions ascend. 1 without values. */
export function weightedQuantilesAt(fractions: readonly number[], values: readonly Weighted[]): readonly number[] {
  const sorted = values.toSorted((a, b) => a.value - b.value);
  const all = sorted.reduce((sum, { weight }) => sum + weight, 0);
  let [index, passed] = [0, 0];
  return fractions.map((fraction) => {
    while (index < sorted.length - 1 && passed + (sorted[index] as Weighted).weight < fraction * all) {
      passed += (sorted[index] as Weighted).weight;
      index += 1;
    }
    return sorted[index]?.value ?? 1;
  });
}

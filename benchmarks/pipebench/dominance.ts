/**
 * Pareto dominance in (attainment, accuracy, cores), seed by seed. With the same seed, two policies get the same
 * arrivals. A figure is better if the 95 % interval of its paired differences excludes 0. A figure is worse only if it
 * is also worse by more than a margin, so that a negligible disadvantage saves nobody.
 */
import { type MeanInterval, meanInterval95 } from '@equipoise/core/model';
import type { CellFigures } from './cell.js';

/** Fewer seeds show nothing. */
export const LEAST_SEEDS = 5;

/** Margins: percentage points of attainment and accuracy, percent of the cores. */
export const MARGINS = { attainment: 0.05, accuracy: 0.05, cost: 0.5 } as const;

export type FigureName = keyof typeof MARGINS;

export interface Comparison {
  /** Advantage of one policy over another; positive is better. In the units of `MARGINS`. */
  readonly advantages: Readonly<Record<FigureName, MeanInterval>>;
  readonly better: readonly FigureName[];
  readonly worse: readonly FigureName[];
  /** Better in one figure, worse in none. */
  readonly dominates: boolean;
}

/** Compares two policies over the same seeds, in the same order. */
export function compared(one: readonly CellFigures[], other: readonly CellFigures[]): Comparison {
  const paired = (advantage: (a: CellFigures, b: CellFigures) => number): MeanInterval =>
    meanInterval95(one.map((figures, i) => advantage(figures, other[i] as CellFigures)));
  const advantages = {
    attainment: paired((a, b) => 100 * (a.attainmentFraction - b.attainmentFraction)),
    accuracy: paired((a, b) => 100 * (a.accuracy - b.accuracy)),
    cost: paired((a, b) => 100 * (1 - a.cpuCores / b.cpuCores)),
  };
  const names = Object.keys(MARGINS) as readonly FigureName[];
  const enough = one.length >= LEAST_SEEDS && one.length === other.length;
  const better = names.filter((name) => enough && advantages[name].low > 0);
  const worse = names.filter((name) => advantages[name].high < 0 && advantages[name].mean < -MARGINS[name]);
  return { advantages, better, worse, dominates: better.length > 0 && worse.length === 0 };
}

/**
 * Pareto dominance of policies over equal seeds. A margin decides what counts, on both sides: a policy is better if the
 * 95 % interval of the paired differences lies above it, and no worse if the interval does not reach below minus the margin.
 * So noise seldom proves either. Nothing corrects for the number of comparisons.
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
  /** Better by more than the margin. */
  readonly better: readonly FigureName[];
  /** Not shown to be at most the margin worse. */
  readonly maybeWorse: readonly FigureName[];
  /** Better in one figure, and shown to be no worse in the others. */
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
  const better = names.filter((name) => enough && advantages[name].low > MARGINS[name]);
  const maybeWorse = names.filter((name) => !(advantages[name].low >= -MARGINS[name]));
  return { advantages, better, maybeWorse, dominates: better.length > 0 && maybeWorse.length === 0 };
}

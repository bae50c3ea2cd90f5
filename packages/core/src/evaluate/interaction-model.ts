/**
 * Predicts accuracies of combinations that were not measured: logit accuracy = mean + an effect per variant + an effect
 * per pair of variants of adjacent stages (+ noise of few samples). All effects are normal, so the prediction is the
 * best linear unbiased one (Henderson 1975). Their sizes are those with the least leave-one-out error.
 */
import { meanOf } from '../kernel/count-statistics.js';
import { normalQuantile } from '../kernel/normal-quantile.js';
import { symmetricSolver } from '../kernel/symmetric-solver.js';

export interface InteractionInput {
  readonly measured: readonly MeasuredPositions[];
  /** Pairs of stages whose variants interact. */
  readonly adjacent: readonly (readonly [number, number])[];
}

/** `variants`: by stage, the position of the variant. */
interface MeasuredPositions {
  readonly variants: readonly number[];
  readonly accuracy: number;
  readonly samples: number;
}

export interface InteractionModel {
  /** Root mean square error of the predictions of the measured combinations, each from the others. */
  readonly crossValidatedError: number;
  /**
   * Undefined if a variant is in no measured combination. The interval is that of the model: it assumes its structure,
   * and often covers less if few combinations are measured or stages that are not adjacent interact.
   */
  predict(
    variants: readonly number[],
  ): { readonly accuracy: number; readonly confidence95: readonly [number, number] } | undefined;
}

/** Standard deviations on the logit scale; `noise` is a fraction of the binomial one, because samples are paired. */
interface Sizes {
  readonly variant: number;
  readonly pair: number;
  readonly noise: number;
}

const SIZES: readonly Sizes[] = [0.3, 1, 3].flatMap((variant) =>
  [0, 0.1, 0.3, 1].flatMap((pair) => [0.1, 0.5, 1].map((noise) => ({ variant, pair, noise }))),
);
const FEWEST = 4;
/** The time grows with the third power. */
const MOST = 256;
const Z_95 = normalQuantile(0.975);

const logit = (p: number): number => Math.log(p / (1 - p));
const fractionOf = (y: number): number => 1 / (1 + Math.exp(-y));

/** Undefined with fewer than 4 measured combinations. */
export function interactionModel({ measured, adjacent }: InteractionInput): InteractionModel | undefined {
  const sampled = measured.filter(({ samples }) => samples > 0);
  if (sampled.length < FEWEST) return undefined;
  const used = sampled.sort((a, b) => b.samples - a.samples).slice(0, MOST);
  // Half a right and half a wrong answer more: 0 and 1 have no logit.
  const accuracies = used.map(({ accuracy, samples }) => (accuracy * samples + 0.5) / (samples + 1));
  const mean = meanOf(accuracies.map(logit));
  const targets = Float64Array.from(accuracies, (p) => logit(p) - mean);
  const fits = SIZES.map((sizes) => {
    const covariance = covarianceBy(sizes, adjacent);
    const matrix = new Float64Array(used.length ** 2);
    for (const [i, a] of used.entries())
      for (const [j, b] of used.entries()) matrix[i * used.length + j] = covariance(a.variants, b.variants);
    for (const [i, p] of accuracies.entries())
      (matrix[i * used.length + i] as number) +=
        sizes.noise ** 2 / ((used[i] as MeasuredPositions).samples * p * (1 - p));
    const solve = symmetricSolver(matrix, used.length);
    const weights = solve(targets);
    const leftOut = accuracies.map((_, i) => {
      const unit = new Float64Array(used.length);
      unit[i] = 1;
      const precision = solve(unit)[i] as number;
      const missed = (weights[i] as number) / precision;
      return {
        square: (fractionOf(mean + (targets[i] as number) - missed) - (used[i] as MeasuredPositions).accuracy) ** 2,
        standard: missed ** 2 * precision,
      };
    });
    return {
      covariance,
      solve,
      weights,
      error: Math.sqrt(meanOf(leftOut.map(({ square }) => square))),
      // The sizes are chosen to fit the measured combinations, so they fit others less.
      widening: Math.sqrt(Math.max(1, meanOf(leftOut.map(({ standard }) => standard)))),
    };
  });
  const { covariance, solve, weights, error, widening } = fits.reduce((best, fit) =>
    fit.error < best.error ? fit : best,
  );
  const isSeen = (variants: readonly number[]) =>
    variants.every((variant, stage) => used.some((each) => each.variants[stage] === variant));
  return {
    crossValidatedError: error,
    predict: (variants) => {
      if (!isSeen(variants)) return undefined;
      const shared = Float64Array.from(used, (each) => covariance(each.variants, variants));
      const explained = dot(shared, solve(shared));
      const y = mean + dot(shared, weights);
      const half = Z_95 * widening * Math.sqrt(Math.max(0, covariance(variants, variants) - explained));
      return { accuracy: fractionOf(y), confidence95: [fractionOf(y - half), fractionOf(y + half)] };
    },
  };
}

/** Covariance of two combinations: that of the mean, of equal variants and of equal pairs. */
function covarianceBy({ variant, pair }: Sizes, adjacent: InteractionInput['adjacent']) {
  return (a: readonly number[], b: readonly number[]): number => {
    const same = a.map((each, stage) => each === b[stage]);
    const variants = same.filter(Boolean).length;
    const pairs = adjacent.filter(([from, to]) => same[from] && same[to]).length;
    return 1 + variant ** 2 * variants + pair ** 2 * pairs;
  };
}

function dot(a: Float64Array, b: Float64Array): number {
  return a.reduce((sum, value, index) => sum + value * (b[index] as number), 0);
}

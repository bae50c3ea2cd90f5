/**
 * Which combinations of variants are evaluated: all of them, as stages interact and no product of stage accuracies tells what a
 * combination is worth. Beyond a limit the even ones are kept: each stage's variants are ranked by declared accuracy (0 worst, 1 best)
 * and a combination's unevenness is its largest rank minus its smallest. One that joins the best of one stage with the worst of another
 * is seldom worth its cost. Of equally even ones the more accurate are kept.
 */
import { AppError, type PipelineSpec, type StageId, type StageSpec, type VariantId } from '@equipoise/core/model';

/** One variant for every stage. */
export type VariantChoice = Readonly<Record<StageId, VariantId>>;

/** What is evaluated, in the order of the file, and what is not and why. */
export interface VariantCombinations {
  readonly kept: readonly VariantChoice[];
  readonly leftOut?: { readonly combinations: number; readonly reason: string };
}

/** Beyond this even the list is too long to choose from. */
const MOST_ENUMERATED = 100_000;

interface RankedChoice {
  readonly choice: VariantChoice;
  readonly order: number;
  readonly unevenness: number;
  readonly rankSum: number;
}

function ranksOf({ variants }: StageSpec): ReadonlyMap<VariantId, number> {
  const worstFirst = variants
    .map(({ id, accuracy }) => ({ id, accuracy: accuracy?.value ?? 0 }))
    .sort((a, b) => a.accuracy - b.accuracy);
  return new Map(worstFirst.map(({ id }, index) => [id, index / (worstFirst.length - 1)]));
}

function product(stages: readonly StageSpec[]): VariantChoice[] {
  return stages.reduce<VariantChoice[]>(
    (choices, { id, variants }) =>
      choices.flatMap((choice) => variants.map((variant) => ({ ...choice, [id]: variant.id }))),
    [{}],
  );
}

function ranked(spec: PipelineSpec, choices: readonly VariantChoice[]): RankedChoice[] {
  const ranks = spec.stages
    .filter(({ variants }) => variants.length > 1)
    .map((stage) => ({ id: stage.id, ranks: ranksOf(stage) }));
  return choices.map((choice, order) => {
    const chosen = ranks.map((stage) => stage.ranks.get(choice[stage.id] as VariantId) ?? 0);
    const unevenness = Math.max(...chosen) - Math.min(...chosen);
    return { choice, order, unevenness, rankSum: chosen.reduce((sum, rank) => sum + rank, 0) };
  });
}

/** All combinations, or the `most` most even ones; AppError WRONG_USAGE when there are too many to look at. */
export function variantCombinations(spec: PipelineSpec, most: number): VariantCombinations {
  const count = spec.stages.reduce((total, { variants }) => total * variants.length, 1);
  if (count > MOST_ENUMERATED) {
    const message = `The pipeline has ${count} combinations of variants, more than ${MOST_ENUMERATED}; evaluate it in parts or with fewer variants.`;
    throw new AppError('WRONG_USAGE', message, { details: { combinations: count } });
  }
  const all = product(spec.stages);
  if (count <= most) return { kept: all };
  const kept = ranked(spec, all)
    .sort((a, b) => a.unevenness - b.unevenness || b.rankSum - a.rankSum || a.order - b.order)
    .slice(0, most)
    .sort((a, b) => a.order - b.order);
  const reason = `of ${count} combinations the ${most} are evaluated whose variants are of the most similar rank by declared accuracy`;
  return { kept: kept.map(({ choice }) => choice), leftOut: { combinations: count - most, reason } };
}

/**
 * Selects all combinations for evaluation, because stages interact; above a limit, only the most even ones. A variant's
 * rank is by declared accuracy (0 worst, 1 best). Unevenness is the largest minus the smallest rank. Ties go to the
 * larger sum of ranks. Each selected combination is evaluated at all thresholds and quorums, because up to the conditions
 * and joins they need no more stage runs.
 */
import {
  AppError,
  atQuorum,
  atThreshold,
  OMITTED,
  omittedNodes,
  type PipelineSpec,
  quorumChoices,
  type StageId,
  type StageSpec,
  thresholdChoices,
  type VariantId,
} from '@equipoise/core/model';

/** Choices of stages: a variant, at its threshold and with its quorum if it has them, or `OMITTED`. */
export type VariantChoice = Readonly<Record<StageId, VariantId>>;

/** Combinations in file order, and the number of omitted ones with the reason. */
export interface VariantCombinations {
  readonly kept: readonly VariantChoice[];
  readonly leftOut?: { readonly combinations: number; readonly reason: string };
  readonly omitted: readonly VariantChoice[];
}

const MOST_ENUMERATED = 100_000;
/** With thresholds and quorums. */
const MOST_EVALUATED = 4096;

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

/** Choices of a stage: its variants, and to omit it if it is optional. */
const choicesOf = ({ variants, optional }: StageSpec): readonly VariantId[] => [
  ...variants.map(({ id }) => id),
  ...(optional ? [OMITTED] : []),
];

function product(spec: PipelineSpec): readonly VariantChoice[] {
  const choices = spec.stages.reduce<VariantChoice[]>(
    (before, stage) => before.flatMap((choice) => choicesOf(stage).map((of) => ({ ...choice, [stage.id]: of }))),
    [{}],
  );
  if (!spec.stages.some(({ optional }) => optional)) return choices;
  const valid = choices.flatMap((choice) => {
    const omitted = spec.stages.flatMap(({ id }) => (choice[id] === OMITTED ? [id] : []));
    const gone = omittedNodes(spec, omitted);
    if (gone === undefined) return [];
    const without = spec.stages.flatMap(({ id }) => (gone.has(id) ? [[id, OMITTED] as const] : []));
    return [{ ...choice, ...Object.fromEntries(without) }];
  });
  return [...new Map(valid.map((choice) => [JSON.stringify(choice), choice])).values()];
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

/** Selects at most `most` combinations. Throws WRONG_USAGE if there are too many to enumerate. */
export function variantCombinations(spec: PipelineSpec, most: number): VariantCombinations {
  const enumerated = spec.stages.reduce((total, stage) => total * choicesOf(stage).length, 1);
  if (enumerated > MOST_ENUMERATED) {
    const message = `The pipeline has ${enumerated} combinations of variants, more than ${MOST_ENUMERATED}; evaluate it in parts or with fewer variants.`;
    throw new AppError('WRONG_USAGE', message, { details: { combinations: enumerated } });
  }
  const all = product(spec);
  const count = all.length;
  if (count <= most) return { kept: atChoices(spec, all), omitted: [] };
  const mostEvenFirst = ranked(spec, all).sort(
    (a, b) => a.unevenness - b.unevenness || b.rankSum - a.rankSum || a.order - b.order,
  );
  const inOrder = (choices: readonly RankedChoice[]) =>
    choices.toSorted((a, b) => a.order - b.order).map(({ choice }) => choice);
  const reason = `of ${count} combinations the ${most} whose variants have the most similar ranks by declared accuracy are evaluated`;
  return {
    kept: atChoices(spec, inOrder(mostEvenFirst.slice(0, most))),
    leftOut: { combinations: count - most, reason },
    omitted: atChoices(spec, inOrder(mostEvenFirst.slice(most)), Number.POSITIVE_INFINITY),
  };
}

/** Each combination at each choice of thresholds and quorums. Throws WRONG_USAGE if there are too many. */
function atChoices(
  spec: PipelineSpec,
  choices: readonly VariantChoice[],
  most = MOST_EVALUATED,
): readonly VariantChoice[] {
  const expanded = atQuorums(spec, atThresholds(spec, choices));
  if (expanded.length <= most || expanded.length === choices.length) return expanded;
  const message = `The pipeline has ${expanded.length} combinations of variants, thresholds and quorums, more than ${most}; list fewer thresholds or quorums.`;
  throw new AppError('WRONG_USAGE', message, { details: { combinations: expanded.length } });
}

/** A combination that omits a join has no quorum for it. */
function atQuorums(spec: PipelineSpec, choices: readonly VariantChoice[]): readonly VariantChoice[] {
  const joins = quorumChoices(spec);
  if (joins.length === 0) return choices;
  return choices.flatMap((choice) => {
    const gone = omittedNodes(
      spec,
      spec.stages.flatMap(({ id }) => (choice[id] === OMITTED ? [id] : [])),
    );
    return joins.reduce<readonly VariantChoice[]>(
      (before, { carrier, join, quorums }) =>
        gone?.has(carrier) || gone?.has(join)
          ? before
          : before.flatMap((each) =>
              quorums.map((quorum) => ({ ...each, [carrier]: atQuorum(each[carrier] as VariantId, quorum) })),
            ),
      [choice],
    );
  });
}

/** Stages whose edges with thresholds lead to omitted stages have none. */
function atThresholds(spec: PipelineSpec, choices: readonly VariantChoice[]): readonly VariantChoice[] {
  const deciding = spec.stages.filter(({ id }) => thresholdChoices(spec, id).length > 0).map(({ id }) => id);
  if (deciding.length === 0) return choices;
  return choices.flatMap((choice) => {
    const edges = spec.edges.filter(({ from, to }) => choice[from] !== OMITTED && choice[to] !== OMITTED);
    return deciding.reduce<readonly VariantChoice[]>(
      (before, id) => {
        const thresholds = thresholdChoices({ edges }, id);
        if (thresholds.length === 0) return before;
        return before.flatMap((each) =>
          thresholds.map((threshold) => ({ ...each, [id]: atThreshold(each[id] as VariantId, threshold) })),
        );
      },
      [choice],
    );
  });
}

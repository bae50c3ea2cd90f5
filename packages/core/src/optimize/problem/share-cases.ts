/**
 * Cases of a problem whose shares of edges depend on variants. In a case, all variants of a deciding stage have equal
 * shares. So loads do not depend on the choice, and each case is solved like any other problem. The cases together hold
 * every choice once.
 */
import { AppError } from '../../model/app-error.js';
import type { StageId, VariantId } from '../../model/ids.js';
import type { PipelineSpec } from '../../model/pipeline-spec.js';
import { hasSharesByVariant, resolvedSpec, sharesByVariant } from '../../model/resolved-spec.js';
import { type PlanningProblem, specOf } from '../planning-problem.js';

const MOST_CASES = 256;

/** The problem itself if no share depends on variants. Throws AppError INVALID_PIPELINE if there are too many cases. */
export function shareCases(problem: PlanningProblem): readonly [PlanningProblem, ...PlanningProblem[]] {
  if (!hasSharesByVariant(problem.spec)) return [problem];
  const { stages } = specOf(problem);
  let cases: readonly NonNullable<PlanningProblem['variants']>[] = [new Map()];
  for (const { id, variants, pins } of stages) {
    const names = variants.map((variant) => variant.id);
    const pinned = names.filter((name) => name === pins.variantId);
    const classes = classesOf(problem.spec, id, pinned.length === 0 ? names : pinned);
    if (classes === undefined) continue;
    cases = cases.flatMap((before) => classes.map((of) => new Map(before).set(id, of)));
    if (cases.length > MOST_CASES)
      throw new AppError(
        'INVALID_PIPELINE',
        `Shares by variant give more than ${MOST_CASES} cases; give variants equal shares, or one share for all.`,
      );
  }
  const { spec } = problem;
  const [first = problem, ...others] = cases.map(
    (variants): PlanningProblem => ({ ...problem, variants, spec: resolvedSpec(spec, (id) => variants.get(id)?.[0]) }),
  );
  return [first, ...others];
}

/** Variants by equal shares; undefined if the stage has no shares by variant. */
function classesOf(
  { edges }: PipelineSpec,
  stage: StageId,
  variants: readonly VariantId[],
): readonly (readonly VariantId[])[] | undefined {
  const shares = edges.filter(({ from }) => from === stage).flatMap(sharesByVariant);
  if (shares.length === 0) return undefined;
  const classes = new Map<string, VariantId[]>();
  for (const variant of variants) {
    const key = shares.map((values) => values[variant]).join(' ');
    classes.set(key, [...(classes.get(key) ?? []), variant]);
  }
  return [...classes.values()];
}

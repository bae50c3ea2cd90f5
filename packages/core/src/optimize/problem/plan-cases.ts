/**
 * Cases of a problem with optional stages, with several quorums or thresholds, or with shares of edges that depend on
 * variants. A case omits a fixed set of stages and has fixed quorums and thresholds, and all variants of a deciding
 * stage have equal shares. So neither graph nor loads depend on the choice, and each case is solved like any other
 * problem. The cases together hold every choice with a known accuracy once.
 */
import { AppError } from '../../model/app-error.js';
import type { StageId, VariantId } from '../../model/ids.js';
import { OMITTED, omittedNodes, withoutNodes } from '../../model/omission.js';
import type { EdgeSpec, PipelineSpec, StageSpec } from '../../model/pipeline-spec.js';
import { quorumChoices, withQuorums } from '../../model/quorum.js';
import {
  hasSharesByUpstream,
  hasSharesByVariant,
  resolvedSpec,
  sharesByUpstream,
  sharesByVariant,
  withoutUpstream,
} from '../../model/resolved-spec.js';
import { hasThresholdChoices, thresholdChoices, withThresholds } from '../../model/threshold.js';
import { type PlanningProblem, specOf } from '../planning-problem.js';

const MOST_CASES = 256;

/** Choices of the plans of a case. They depend on the pipeline and its pins, but on no load and no limit. */
type CaseChoices = Pick<PlanningProblem, 'spec' | 'omitted' | 'thresholds' | 'quorums' | 'variants'>;

interface Division {
  readonly key: readonly unknown[];
  readonly cases: readonly CaseChoices[];
}

const lastDivisions = new WeakMap<PipelineSpec, Division>();

/**
 * A problem that nothing divides is its only case. Keeps the last division of a spec, because replans and advice ask for
 * it under other loads and limits. Throws AppError INVALID_PIPELINE if there are too many cases.
 */
export function planCases(problem: PlanningProblem): readonly [PlanningProblem, ...PlanningProblem[]] {
  const { cases } = divisionOf(problem);
  const [first = problem, ...others] = cases.map((choices): PlanningProblem => ({ ...problem, ...choices }));
  return [first, ...others];
}

export const caseChoices = ({ spec, omitted, thresholds, quorums, variants }: PlanningProblem): CaseChoices => ({
  spec,
  ...(omitted && { omitted }),
  ...(thresholds && { thresholds }),
  ...(quorums && { quorums }),
  ...(variants && { variants }),
});

function divisionOf(problem: PlanningProblem): Division {
  const { spec, pins, omitted, thresholds, quorums, variants } = problem;
  const key = [pins, omitted, thresholds, quorums, variants];
  const last = lastDivisions.get(spec);
  if (last !== undefined && key.every((each, at) => each === last.key[at])) return last;
  const division = { key, cases: casesOf(problem).map(caseChoices) };
  lastDivisions.set(spec, division);
  return division;
}

function casesOf(problem: PlanningProblem): readonly PlanningProblem[] {
  const resolved = atThresholds(atOmissions(atQuorums(problem)));
  const cases = withinCases(resolved).flatMap(shareCases);
  if (cases.length > MOST_CASES) throw tooMany('Optional stages, quorums, thresholds and shares by variant');
  return cases;
}

/**
 * One problem per choice of quorums whose combinations have known accuracies. Without any measurement, one problem
 * without known accuracies. Pins of carriers leave one quorum.
 */
function atQuorums(problem: PlanningProblem): readonly PlanningProblem[] {
  const { spec } = problem;
  const choices = quorumChoices(spec);
  if (choices.length === 0) return [problem];
  const { stages } = specOf(problem);
  let combined: readonly ReadonlyMap<StageId, number>[] = [new Map()];
  for (const { carrier, quorums } of choices) {
    const pinned = stages.find(({ id }) => id === carrier)?.pins.quorum;
    const values = pinned !== undefined && quorums.includes(pinned) ? [pinned] : quorums;
    combined = combined.flatMap((before) => values.map((value) => new Map(before).set(carrier, value)));
    if (combined.length > MOST_CASES) throw tooMany('Quorums');
  }
  const cases = combined.map((quorums) => ({ ...problem, quorums, spec: withQuorums(spec, quorums) }));
  const measured = cases.filter((each) => (each.spec.accuracyTable?.combinations.length ?? 0) > 0);
  return measured.length > 0 ? measured : cases.slice(0, 1);
}

/** Nodes that a plan omits, and the stages among them. */
interface Omission {
  readonly gone: ReadonlySet<StageId>;
  readonly omitted: readonly StageSpec[];
}

/**
 * For each problem, one per set of stages that a plan may omit together and whose combinations have known accuracies.
 * Without any such set, the problem with what its pins omit. The problems differ in quorums only, so that they have the
 * same sets.
 */
function atOmissions(problems: readonly PlanningProblem[]): readonly PlanningProblem[] {
  const [first] = problems;
  if (first === undefined) return problems;
  const { stages } = specOf(first);
  const optional = stages.filter(
    ({ optional: is, pins }) => is && pins.replicas === undefined && pins.omitted !== false,
  );
  if (optional.length === 0 || first.omitted !== undefined) return problems;
  if (2 ** optional.length > MOST_CASES) throw tooMany('Optional stages');
  let sets: readonly (readonly StageId[])[] = [[]];
  for (const { id, pins } of optional)
    sets = sets.flatMap((set) => (pins.omitted ? [[...set, id]] : [set, [...set, id]]));
  const omissions = new Map<string, Omission>();
  for (const set of sets) {
    const gone = omittedNodes(first.spec, set);
    if (gone === undefined) continue;
    omissions.set([...gone].sort().join(' '), { gone, omitted: stages.filter(({ id }) => gone.has(id)) });
  }
  const isPinned = optional.some(({ pins }) => pins.omitted);
  return problems.flatMap((problem) => omissionCases(problem, [...omissions.values()], isPinned));
}

function omissionCases(
  problem: PlanningProblem,
  omissions: readonly Omission[],
  isPinned: boolean,
): readonly PlanningProblem[] {
  const cases = omissions.map(({ gone, omitted }) => ({ ...problem, spec: withoutNodes(problem.spec, gone), omitted }));
  const measured = cases.filter(({ spec }) => isMeasured(spec));
  if (measured.length > 0) return measured;
  // Pins hold without a measurement, too.
  return [(isPinned && cases[0]) || problem];
}

const isMeasured = ({ accuracyTable }: PipelineSpec): boolean =>
  accuracyTable?.combinations.some(({ variants }) => !Object.values(variants).includes(OMITTED)) === true;

/**
 * One problem per choice of thresholds whose combinations have known accuracies. Without any measurement, one problem
 * without known accuracies.
 */
function atThresholds(problems: readonly PlanningProblem[]): readonly PlanningProblem[] {
  if (!problems.some(({ spec }) => hasThresholdChoices(spec))) return problems;
  const cases = problems.flatMap(thresholdCases);
  if (cases.length > MOST_CASES) throw tooMany('Optional stages, quorums and thresholds');
  const measured = cases.filter(({ spec }) => (spec.accuracyTable?.combinations.length ?? 0) > 0);
  return measured.length > 0 ? measured : cases.slice(0, 1);
}

function thresholdCases(problem: PlanningProblem): readonly PlanningProblem[] {
  const { spec } = problem;
  let choices: readonly ReadonlyMap<StageId, number>[] = [new Map()];
  for (const { id, pins } of specOf(problem).stages) {
    const all = thresholdChoices(spec, id);
    const pinned = all.filter((value) => value === pins.threshold);
    const values = pinned.length > 0 ? pinned : all;
    if (values.length === 0) continue;
    choices = choices.flatMap((before) => values.map((value) => new Map(before).set(id, value)));
    if (choices.length > MOST_CASES) throw tooMany('Thresholds');
  }
  return choices.map((thresholds) =>
    thresholds.size === 0 ? problem : { ...problem, thresholds, spec: withThresholds(spec, thresholds) },
  );
}

const tooMany = (what: string): AppError =>
  new AppError(
    'INVALID_PIPELINE',
    `${what} give more than ${MOST_CASES} cases; make fewer stages optional, list fewer quorums or thresholds, or give variants equal shares.`,
  );

function shareCases(problem: PlanningProblem): readonly PlanningProblem[] {
  const { spec } = problem;
  if (!hasSharesByVariant(spec)) return [problem];
  const cases = variantClasses(problem);
  if (cases === undefined) throw tooMany('Shares by variant');
  return cases.map((variants) => ({
    ...problem,
    variants,
    spec: resolvedSpec(spec, (id) => variants.get(id)?.[0]),
  }));
}

/** The problems; if shares by variants of earlier stages make too many cases, with the means over these variants. */
function withinCases(problems: readonly PlanningProblem[]): readonly PlanningProblem[] {
  if (!problems.some(({ spec }) => hasSharesByUpstream(spec))) return problems;
  let count = 0;
  for (const problem of problems) {
    count += variantClasses(problem)?.length ?? MOST_CASES + 1;
    if (count > MOST_CASES) return problems.map((each) => ({ ...each, spec: withoutUpstream(each.spec) }));
  }
  return problems;
}

/** Variants by stage, of each case; undefined if there are too many cases. */
function variantClasses(problem: PlanningProblem): readonly NonNullable<PlanningProblem['variants']>[] | undefined {
  const { spec } = problem;
  const upstream = upstreamStages(spec);
  let cases: readonly NonNullable<PlanningProblem['variants']>[] = [new Map()];
  for (const { id, variants, pins } of specOf(problem).stages) {
    const own = spec.edges.filter(({ from }) => from === id);
    if (!upstream.has(id) && !hasSharesByVariant({ edges: own }) && !hasSharesByUpstream({ edges: own })) continue;
    const names = variants.map((variant) => variant.id);
    const pinned = names.filter((name) => name === pins.variantId);
    const allowed = pinned.length === 0 ? names : pinned;
    const classes = upstream.has(id) ? allowed.map((name): readonly VariantId[] => [name]) : classesOf(own, allowed);
    cases = cases.flatMap((before) => classes.map((of) => new Map(before).set(id, of)));
    if (cases.length > MOST_CASES) return undefined;
  }
  return cases;
}

/** Stages on whose variants the shares of later edges depend. */
const upstreamStages = ({ edges }: PipelineSpec): ReadonlySet<string> =>
  new Set(edges.flatMap((edge) => sharesByUpstream(edge).flatMap(({ upstream }) => Object.keys(upstream))));

/** Variants by equal shares of the edges of their stage. */
function classesOf(edges: readonly EdgeSpec[], variants: readonly VariantId[]): readonly (readonly VariantId[])[] {
  const shares = edges.flatMap((edge) => [
    ...sharesByVariant(edge),
    ...sharesByUpstream(edge).map(({ byVariant }) => byVariant),
  ]);
  const classes = new Map<string, VariantId[]>();
  for (const variant of variants) {
    const key = shares.map((values) => values[variant]).join(' ');
    classes.set(key, [...(classes.get(key) ?? []), variant]);
  }
  return [...classes.values()];
}

/**
 * One search over all cases of a problem (`planCases`). Cases that omit the same stages and have the same quorums are a
 * family: only shares, and so loads, differ. The lowest load of each stage bounds them all.
 */
import { type EdgeSpec, measurementCause } from '../../model/pipeline-spec.js';
import type { KnownOptions, Preparation, PreparedProblem } from '../options/prepared-problem.js';
import {
  type LatencyFactors,
  labelLimitOf,
  type SurrogateProblem,
  surrogateProblem,
  timedOptions,
} from '../options/surrogate.js';
import { countsOnlyMeasured, type PlanningProblem, specOf } from '../planning-problem.js';
import { type MeasuredVariants, measuredVariants } from '../problem/accuracy-model.js';
import { planningCurves } from '../problem/planning-curves.js';
import { limitsOf } from '../problem/resource-use.js';
import { type CaseFamily, type CaseSolution, searchCases } from '../surrogate/accuracy-table-search.js';

export interface JointSearch {
  readonly preparation: Preparation;
  readonly factors: LatencyFactors;
  /** Only the best value is of interest, not the best of equally good choices. */
  readonly onlyValue: boolean;
}

/** `caseIndex` is a position among the searched cases. */
export interface JointSolution extends CaseSolution {
  /** Case of the choice. */
  readonly prepared: PreparedProblem | undefined;
}

type Cases = readonly [PlanningProblem, ...PlanningProblem[]];

export function searchTogether(cases: Cases, { preparation, factors, onlyValue }: JointSearch): JointSolution {
  const [first] = cases;
  const spec = specOf(first);
  // Cases share the curves of the largest one.
  const largest = cases.reduce((a, b) => (b.spec.stages.length > a.spec.stages.length ? b : a));
  planningCurves(largest.spec, largest.profiles);
  const known: KnownOptions = new Map();
  const prepared = new Map<number, PreparedProblem>();
  const prepare = (each: PlanningProblem, caseIndex: number): SurrogateProblem => {
    const own = preparation.prepare(each, known);
    prepared.set(caseIndex, own);
    return surrogateProblem(own, factors);
  };
  const leastOptions = leastOptionsOf(cases, (least) =>
    preparation.options(least, known).map((options) => timedOptions(options, factors)),
  );
  const families = groupsOf(cases, (a, b) => a.omitted === b.omitted && a.quorums === b.quorums).map(
    (members): CaseFamily => ({
      mostAccuracy: Math.max(...members.map(mostAccuracyOf)),
      cases: members.map((each) => {
        const caseIndex = cases.indexOf(each);
        return { caseIndex, measured: () => measuredOf(each), problem: () => prepare(each, caseIndex) };
      }),
      leastOptions: () => leastOptions(members[0]),
    }),
  );
  const { objective } = spec;
  const rules = { objective, limits: limitsOf(spec), labelLimit: labelLimitOf(first), onlyValue };
  const solution = searchCases(families, rules);
  return { ...solution, prepared: prepared.get(solution.caseIndex) };
}

/** Best measured accuracy of a case; 1 if products count. */
export function mostAccuracyOf(problem: PlanningProblem): number {
  if (!countsOnlyMeasured(problem)) return 1;
  const { combinations = [] } = problem.spec.accuracyTable ?? {};
  return combinations.reduce((best, { accuracy }) => Math.max(best, accuracy), 0);
}

/** Cases in groups, of which `isTogether` decides, in order of their first members. */
function groupsOf(cases: Cases, isTogether: (a: PlanningProblem, b: PlanningProblem) => boolean): readonly Cases[] {
  const groups: [PlanningProblem, ...PlanningProblem[]][] = [];
  for (const each of cases) {
    const group = groups.find(([first]) => isTogether(first, each));
    if (group === undefined) groups.push([each]);
    else group.push(each);
  }
  return groups;
}

/**
 * Options that take no more than those of any case that omits the same stages as `member`. Families that differ in their
 * quorums share them, because a quorum changes no load.
 */
function leastOptionsOf(
  cases: Cases,
  optionsOf: (least: PlanningProblem) => SurrogateProblem['stages'],
): (member: PlanningProblem) => SurrogateProblem['stages'] {
  const groups = new Map(groupsOf(cases, (a, b) => a.omitted === b.omitted).map((group) => [group[0].omitted, group]));
  const known = new Map<PlanningProblem['omitted'], SurrogateProblem['stages']>();
  return (member) => {
    const { omitted } = member;
    const options = known.get(omitted) ?? optionsOf(leastLoaded(groups.get(omitted) ?? [member]));
    known.set(omitted, options);
    return options;
  };
}

interface KnownCombinations {
  readonly measured: readonly MeasuredVariants[] | undefined;
}

const knownCombinations = new WeakMap<PlanningProblem, KnownCombinations>();

/** Measured combinations of the variants of a case; undefined if products count. Two searches ask for the same ones. */
function measuredOf(problem: PlanningProblem): readonly MeasuredVariants[] | undefined {
  const known = knownCombinations.get(problem) ?? { measured: combinationsOf(problem) };
  knownCombinations.set(problem, known);
  return known.measured;
}

function combinationsOf(problem: PlanningProblem): readonly MeasuredVariants[] | undefined {
  const { spec, variants } = problem;
  if (!countsOnlyMeasured(problem) && measurementCause(spec) === undefined) return undefined;
  const allowed = spec.stages.flatMap(({ id, variants: all }, s) => {
    const names = variants?.get(id);
    return names === undefined ? [] : [{ s, own: names.map((name) => all.findIndex((each) => each.id === name)) }];
  });
  return measuredVariants(spec).filter(({ variants: positions }) =>
    allowed.every(({ s, own }) => {
      const position = positions[s];
      return position === undefined || own.includes(position);
    }),
  );
}

const knownLeast = new WeakMap<PlanningProblem, PlanningProblem>();

/** A problem in which no stage has more load than in any of the cases. Two searches ask for the same one. */
function leastLoaded(cases: Cases): PlanningProblem {
  const known = knownLeast.get(cases[0]);
  if (known !== undefined && cases.every((each) => knownLeast.get(each) === known)) return known;
  const least = withLeastShares(cases);
  for (const each of cases) knownLeast.set(each, least);
  return least;
}

function withLeastShares(cases: Cases): PlanningProblem {
  const [{ variants: _, ...first }, ...others] = cases;
  if (others.length === 0) return cases[0];
  const edges = first.spec.edges.map((edge, at): EdgeSpec => {
    const { when, fanOut } = edge;
    const least = (shareOf: (edge: EdgeSpec | undefined) => number | undefined): number =>
      Math.min(...cases.map(({ spec }) => shareOf(spec.edges[at]) ?? 0));
    return {
      ...edge,
      ...(when && { when: { ...when, probability: least((each) => each?.when?.probability) } }),
      ...(fanOut && { fanOut: { ...fanOut, expected: least((each) => each?.fanOut?.expected) } }),
    };
  });
  return { ...first, spec: { ...first.spec, edges } };
}

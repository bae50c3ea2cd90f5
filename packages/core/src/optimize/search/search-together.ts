/**
 * One search over all cases of a problem (`planCases`). Cases that omit the same stages and have the same quorums are a
 * family: only shares, and so loads, differ. The lowest load of each stage bounds them all.
 */
import { type EdgeSpec, measurementCause } from '../../model/pipeline-spec.js';
import type { KnownOptions, Preparation } from '../options/prepared-problem.js';
import { type LatencyFactors, labelLimitOf, surrogateProblem, timedOptions } from '../options/surrogate.js';
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

type Cases = readonly [PlanningProblem, ...PlanningProblem[]];

/** `caseIndex` of the solution is a position in `cases`. */
export function searchTogether(cases: Cases, { preparation, factors, onlyValue }: JointSearch): CaseSolution {
  const [first] = cases;
  const spec = specOf(first);
  // Cases share the curves of the largest one.
  const largest = cases.reduce((a, b) => (b.spec.stages.length > a.spec.stages.length ? b : a));
  planningCurves(largest.spec, largest.profiles);
  const known: KnownOptions = new Map();
  const families = familiesOf(cases).map(
    (members): CaseFamily => ({
      mostAccuracy: Math.max(...members.map(mostAccuracyOf)),
      cases: members.map((each) => ({
        caseIndex: cases.indexOf(each),
        measured: () => measuredOf(each),
        problem: () => surrogateProblem(preparation.prepare(each, known), factors),
      })),
      leastOptions: () =>
        preparation.options(leastLoaded(members), known).map((options) => timedOptions(options, factors)),
    }),
  );
  const { objective } = spec;
  return searchCases(families, { objective, limits: limitsOf(spec), labelLimit: labelLimitOf(first), onlyValue });
}

/** Best measured accuracy of a case; 1 if products count. */
export function mostAccuracyOf(problem: PlanningProblem): number {
  if (!countsOnlyMeasured(problem)) return 1;
  const { combinations = [] } = problem.spec.accuracyTable ?? {};
  return combinations.reduce((best, { accuracy }) => Math.max(best, accuracy), 0);
}

function familiesOf(cases: Cases): readonly Cases[] {
  const families: [PlanningProblem, ...PlanningProblem[]][] = [];
  for (const each of cases) {
    const family = families.find(([{ omitted, quorums }]) => omitted === each.omitted && quorums === each.quorums);
    if (family === undefined) families.push([each]);
    else family.push(each);
  }
  return families;
}

/** Measured combinations of the variants of a case; undefined if products count. */
function measuredOf(problem: PlanningProblem): readonly MeasuredVariants[] | undefined {
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

/** A problem in which no stage has more load than in any of the cases. */
function leastLoaded(cases: Cases): PlanningProblem {
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

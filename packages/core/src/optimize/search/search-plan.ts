/**
 * Finds the best plan of a problem, if any. Without `verify`, the estimate of the whole graph decides. For the sum of
 * tails, one solve of the surrogate suffices.
 */
import type { Objective } from '../../model/pipeline-spec.js';
import type { Plan, PlanVerification, SearchEffort } from '../../model/plan.js';
import { ChoiceJudge } from '../improve/choice-judge.js';
import { ChoiceSearch, type Improvement } from '../improve/improve-choice.js';
import { type PreparedProblem, preparation, prepareProblem } from '../options/prepared-problem.js';
import { choiceKey, type LatencyFactors, type Solution, type SurrogateChoice } from '../options/surrogate.js';
import type { PlanningProblem, VerifyPlan } from '../planning-problem.js';
import { planCases } from '../problem/plan-cases.js';
import { leastLatencyChoice } from '../surrogate/least-latency.js';
import { costOf, isBetter, objectiveValue } from '../surrogate/objective-value.js';
import { SurrogateSolver } from '../surrogate/surrogate-solver.js';
import { planOf, sketchOf } from './plan-of.js';
import { harderChoices, knownChoices } from './related-choices.js';
import { type BoundedCase, boundedCases, casesThatReach } from './relaxation-bound.js';
import { searchTogether } from './search-together.js';
import { type FoundChoice, type Judge, type JudgedChoice, trimChoice, verifiedSearch } from './verified-search.js';

/** Default of `workLimit`, in full verifications. */
export const DEFAULT_WORK_LIMIT = 165;

export interface FoundPlan {
  readonly plan: Plan;
  readonly choice: SurrogateChoice;
  readonly value: number;
  readonly factors: LatencyFactors;
  readonly solution: Solution;
  readonly search?: SearchEffort;
}

/** Result of a search. Without a verified plan, `fastest` is the fastest plan within the budgets, if any. */
export type PlanSearch =
  | { readonly kind: 'found'; readonly found: FoundPlan; readonly labels: number }
  | { readonly kind: 'none'; readonly fastest: Plan | undefined; readonly tried: number; readonly labels: number };

const TAILS: LatencyFactors = { theta: 1, kappa: 1 };

const optionsOf = (choice: SurrogateChoice) => choice.map((o) => o.option);

function memoize<Answer>(
  answer: (choice: SurrogateChoice) => Answer,
  known = new Map<string, Answer>(),
): (choice: SurrogateChoice) => Answer {
  return (choice) => {
    const key = choiceKey(choice);
    const before = known.get(key);
    if (before !== undefined) return before;
    const now = answer(choice);
    known.set(key, now);
    return now;
  };
}

export function judgeOf(prepared: PreparedProblem, verify: VerifyPlan | undefined): Judge {
  const { slo } = prepared.spec;
  const estimateMs = memoize((choice) => planOf(prepared, optionsOf(choice)).predicted.latencyMs);
  const byEstimate = (choice: SurrogateChoice): PlanVerification => {
    const latencyMs = estimateMs(choice);
    const sloAttainmentFraction = latencyMs <= slo.latencyMs ? 1 : 0;
    return { latencyMs, percentile: slo.percentile, sloAttainmentFraction, conclusive: true, seeds: [] };
  };
  const verdicts = new Map<string, PlanVerification>();
  const judge = verify ? (choice: SurrogateChoice) => verify(sketchOf(prepared, optionsOf(choice)), slo) : byEstimate;
  return { estimateMs, verdict: memoize(judge, verdicts), judged: () => verdicts.size };
}

function verifiedPlanOf(
  prepared: PreparedProblem,
  choice: SurrogateChoice,
  verified: PlanVerification | undefined,
): Plan {
  const plan = planOf(prepared, optionsOf(choice));
  return verified === undefined ? plan : { ...plan, verified };
}

function trimToCheapest(prepared: PreparedProblem, judge: Judge, found: FoundChoice): FoundChoice {
  if (prepared.objective.kind !== 'max-accuracy') return found;
  const { choice, verdict } = trimChoice(prepared, judge, { held: found, pas: found.value });
  const value = objectiveValue(prepared.objective, prepared.accuracy, choice);
  return { ...found, choice, verdict, value };
}

function searchByEstimate(prepared: PreparedProblem, verify: VerifyPlan | undefined): PlanSearch {
  const judge = judgeOf(prepared, verify);
  const outcome = verifiedSearch(prepared, judge);
  const toPlan = ({ choice, verdict }: JudgedChoice): Plan =>
    verifiedPlanOf(prepared, choice, verify === undefined ? undefined : verdict);
  const { labels } = outcome;
  if (outcome.kind === 'found') {
    const found = trimToCheapest(prepared, judge, outcome.found);
    return { kind: 'found', labels, found: { ...found, plan: toPlan(found) } };
  }
  const { fastest } = outcome;
  return { kind: 'none', labels, fastest: fastest && toPlan(fastest), tried: judge.judged() };
}

/** Problems may share a judge if only budget or objective differ. */
export const simulationJudge = (prepared: PreparedProblem, verify: VerifyPlan): ChoiceJudge =>
  new ChoiceJudge(prepared, (choice, workFraction) =>
    verify(sketchOf(prepared, optionsOf(choice)), prepared.spec.slo, workFraction),
  );

/** The θ loop finds a first plan, which a search by simulation improves. */
function searchBySimulation(
  prepared: PreparedProblem,
  verify: VerifyPlan,
  judge = simulationJudge(prepared, verify),
): PlanSearch {
  const { workLimit = DEFAULT_WORK_LIMIT } = prepared.problem;
  const estimateMs = memoize((choice) => planOf(prepared, optionsOf(choice)).predicted.latencyMs);
  const judged = (): number => judge.tried;
  let improvement: Improvement | undefined;
  const outcome = verifiedSearch(
    prepared,
    { estimateMs, judged, verdict: (choice) => judge.verdict(choice) },
    (held) => {
      const hints = { known: knownChoices(prepared), promising: harderChoices(prepared) };
      improvement = new ChoiceSearch(prepared, judge).run(held, workLimit, hints);
      return improvement.held;
    },
  );
  const { labels } = outcome;
  const toPlan = ({ choice, verdict }: JudgedChoice): Plan => verifiedPlanOf(prepared, choice, verdict);
  const search = {
    simulated: judge.simulated,
    looked: judge.looked,
    exhausted: improvement?.exhausted ?? false,
    skippedByEstimate: improvement?.skipped ?? 0,
  };
  if (outcome.kind === 'found') {
    const { found } = outcome;
    return { kind: 'found', labels, found: { ...found, plan: toPlan(found), search } };
  }
  const { fastest } = outcome;
  return { kind: 'none', labels, fastest: fastest && toPlan(fastest), tried: judge.tried };
}

const verifiedOnce = (prepared: PreparedProblem, verify: VerifyPlan | undefined, choice: SurrogateChoice): Plan =>
  verifiedPlanOf(prepared, choice, verify?.(sketchOf(prepared, optionsOf(choice)), prepared.spec.slo));

function searchOnce(prepared: PreparedProblem, verify: VerifyPlan | undefined): PlanSearch {
  const solver = new SurrogateSolver(prepared);
  const solution = solver.solve(TAILS);
  const { choice, labels } = solution;
  if (choice === undefined) {
    const fastest = leastLatencyChoice(solver, TAILS);
    return { kind: 'none', fastest: fastest && verifiedOnce(prepared, verify, fastest), tried: 1, labels };
  }
  return foundOnce(prepared, verify, solution, choice);
}

function foundOnce(
  prepared: PreparedProblem,
  verify: VerifyPlan | undefined,
  solution: Solution,
  choice: SurrogateChoice,
): Found {
  const value = objectiveValue(prepared.objective, prepared.accuracy, choice);
  const plan = verifiedOnce(prepared, verify, choice);
  return { kind: 'found', found: { plan, choice, solution, factors: TAILS, value }, labels: solution.labels };
}

/** One search over all cases, each of which `searchOnce` could solve. */
function searchAllOnce(bounded: readonly BoundedCase[], verify: VerifyPlan | undefined): Found | undefined {
  const [first, ...others] = bounded.map(({ problem }) => problem);
  if (first === undefined) return undefined;
  const cases = [first, ...others] as const;
  const {
    caseIndex: _,
    prepared,
    ...solution
  } = searchTogether(cases, {
    preparation,
    factors: TAILS,
    onlyValue: false,
  });
  if (prepared === undefined || solution.choice === undefined) return undefined;
  return foundOnce(prepared, verify, solution, solution.choice);
}

/** False for the sum of tails. Also false without arrivals: nothing can be late. */
export const isDecidedBySimulation = ({ problem }: PreparedProblem): boolean =>
  problem.estimator !== 'sum-of-tails' && problem.arrivalRps > 0;

interface SearchHints {
  /** Searches that share it share its simulations. */
  readonly judge?: ChoiceJudge | undefined;
}

export function searchPrepared(
  prepared: PreparedProblem,
  verify?: VerifyPlan,
  { judge }: SearchHints = {},
): PlanSearch {
  if (prepared.problem.estimator === 'sum-of-tails') return searchOnce(prepared, verify);
  return verify !== undefined && isDecidedBySimulation(prepared)
    ? searchBySimulation(prepared, verify, judge)
    : searchByEstimate(prepared, verify);
}

type Found = Extract<PlanSearch, { kind: 'found' }>;
type NotFound = Extract<PlanSearch, { kind: 'none' }>;

/**
 * Searches each case of a problem (`planCases`), best bound first, or all in one search if the estimate is a sum of
 * tails. Cases share the work limit. A case that cannot have a better plan than the one found is cut. `bounded`: the cases
 * of the problem, if they are known.
 */
export function searchPlan(
  problem: PlanningProblem,
  verify?: VerifyPlan,
  bounded?: readonly BoundedCase[],
): PlanSearch {
  const { objective = problem.spec.objective, workLimit = DEFAULT_WORK_LIMIT } = problem;
  const [first, ...others] = casesOf(problem, bounded);
  if (others.length === 0) return searchPrepared(prepareProblem({ ...first, workLimit }), verify);
  const cases = bounded ?? boundedCases(problem, verify !== undefined);
  const perCase = workLimit / Math.max(1, cases.length);
  let found: Found | undefined;
  let none: NotFound = { kind: 'none', fastest: undefined, tried: 0, labels: 0 };
  if (problem.estimator === 'sum-of-tails') {
    const best = searchAllOnce(cases, verify);
    if (best !== undefined) return best;
  }
  const search = (each: PlanningProblem): void => {
    const outcome = searchPrepared(prepareProblem({ ...each, workLimit: perCase }), verify);
    if (outcome.kind === 'found') found = found === undefined ? outcome : betterOf(objective, found, outcome);
    else none = bothNone(none, outcome);
  };
  // Without any plan, the searches only look for the best effort.
  if (cases.length === 0) [first, ...others].forEach(search);
  let left = cases;
  while (left[0] !== undefined) {
    search(left[0].problem);
    left = casesLeft(left.slice(1), found);
  }
  return found === undefined ? none : { ...found, labels: found.labels + none.labels };
}

function casesOf(
  problem: PlanningProblem,
  bounded: readonly BoundedCase[] = [],
): readonly [PlanningProblem, ...PlanningProblem[]] {
  const [first, ...others] = bounded.map((each) => each.problem);
  return first === undefined ? planCases(problem) : [first, ...others];
}

const casesLeft = (cases: readonly BoundedCase[], found: Found | undefined): readonly BoundedCase[] =>
  found === undefined ? cases : casesThatReach(cases, found.found.value);

/**
 * The better plan; of two equally good ones the cheaper or, for `min-cost`, the more accurate one. The certificate is as
 * weak as the weaker one.
 */
function betterOf(objective: Objective, a: Found, b: Found): Found {
  const [p, q] = [a.found, b.found];
  const isEqual = !isBetter(objective, p.value, q.value) && !isBetter(objective, q.value, p.value);
  const second = isEqual ? prefersSecond(objective, p, q) : isBetter(objective, q.value, p.value);
  const best = second ? q : p;
  const solution = {
    ...best.solution,
    optimal: p.solution.optimal && q.solution.optimal,
    gapFraction: Math.max(p.solution.gapFraction, q.solution.gapFraction),
  };
  const search = p.search && q.search && totalEffort(p.search, q.search);
  return { kind: 'found', labels: a.labels + b.labels, found: { ...best, solution, ...(search && { search }) } };
}

const prefersSecond = ({ kind }: Objective, p: FoundPlan, q: FoundPlan): boolean =>
  kind === 'min-cost' ? q.plan.predicted.pas > p.plan.predicted.pas : costOf(q.choice) < costOf(p.choice);

const totalEffort = (a: SearchEffort, b: SearchEffort): SearchEffort => ({
  simulated: a.simulated + b.simulated,
  looked: a.looked + b.looked,
  exhausted: a.exhausted && b.exhausted,
  skippedByEstimate: a.skippedByEstimate + b.skippedByEstimate,
});

function bothNone(a: NotFound, b: NotFound): NotFound {
  const isFaster = latencyOf(b.fastest) < latencyOf(a.fastest);
  const fastest = a.fastest === undefined || isFaster ? b.fastest : a.fastest;
  return { kind: 'none', fastest, tried: a.tried + b.tried, labels: a.labels + b.labels };
}

const latencyOf = (plan: Plan | undefined): number =>
  plan === undefined ? Number.POSITIVE_INFINITY : (plan.verified?.latencyMs ?? plan.predicted.latencyMs);

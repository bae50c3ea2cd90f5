/**
 * Pareto front of PAS and cost over plans that meet the SLO (docs/explain/planner.md, Frontier and explanations). With
 * simulation, each search after the first finds the most accurate plan that is cheaper than the last one.
 */
import { type Plan, type PlanResult, type PlanVerification, showsSloMet } from '../model/plan.js';
import type { ChoiceJudge } from './improve/choice-judge.js';
import { ChoiceSearch } from './improve/improve-choice.js';
import { type PreparedProblem, prepareProblem } from './options/prepared-problem.js';
import type { LatencyFactors, SurrogateProblem } from './options/surrogate.js';
import type { PlanningProblem, VerifyPlan } from './planning-problem.js';
import { isProduct } from './problem/accuracy-model.js';
import { planCases } from './problem/plan-cases.js';
import { answerOf } from './search/infeasibility.js';
import { planOf } from './search/plan-of.js';
import { relaxationBound } from './search/relaxation-bound.js';
import { isDecidedBySimulation, judgeOf, searchPrepared, simulationJudge } from './search/search-plan.js';
import { type Judge, type JudgedChoice, trimChoice } from './search/verified-search.js';
import { costOf, pasOf } from './surrogate/objective-value.js';
import { steppedFrontier } from './surrogate/stepped-frontier.js';
import { type FrontierChoice, type SurrogateFrontier, surrogateFrontier } from './surrogate/surrogate-frontier.js';
import { SurrogateSolver } from './surrogate/surrogate-solver.js';

export interface FrontierPoint {
  readonly pas: number;
  readonly costPerHour: number;
  readonly cpuCores: number;
  readonly plan: Plan;
}

/**
 * Front from the cheapest to the most accurate plan. It may lack a point if another has nearly the same PAS
 * (`toleranceFraction`).
 */
export interface Frontier {
  readonly kind: 'frontier';
  readonly points: readonly FrontierPoint[];
  readonly toleranceFraction: number;
  readonly complete: boolean;
  /** Number of points found but not judged, because fewer were requested. */
  readonly omittedPoints: number;
  readonly factors: LatencyFactors;
}

export interface FrontierOptions {
  readonly mostPoints?: number;
}

const MOST_POINTS = 40;
/** Points are merged if their PAS differs by less than this fraction, unless all costs are whole numbers. */
const TOLERANCE = 1e-3;
const MOST_ROUNDS = 20;

const wholeCosts = ({ stages }: SurrogateProblem): boolean =>
  stages.every((options) => options.every((o) => Number.isInteger(o.costPerHour)));

function exactFront(solver: SurrogateSolver, factors: LatencyFactors): SurrogateFrontier & { tolerance: number } {
  for (let round = 1; ; round++) {
    const problem = solver.problem(factors);
    const tolerance = wholeCosts(problem) ? 0 : TOLERANCE;
    const front = frontOf(problem, tolerance);
    const vague = solver.makeExact(front.points.map(({ choice }) => choice));
    if (!vague || round > MOST_ROUNDS) return { ...front, tolerance };
  }
}

function frontOf(problem: SurrogateProblem, tolerance: number): SurrogateFrontier {
  const sweeps = isProduct(problem.accuracy) && problem.nodes === undefined;
  return sweeps ? surrogateFrontier(problem, tolerance) : steppedFrontier(problem, tolerance);
}

function thinPoints(points: readonly FrontierChoice[], most: number): readonly FrontierChoice[] {
  if (points.length <= most) return points;
  const [first, last] = [points[0]?.pas as number, points.at(-1)?.pas as number];
  const wanted = Array.from({ length: most }, (_, i) => first + ((last - first) * i) / (most - 1));
  const nearest = wanted.map((pas) => points.reduce((a, b) => (Math.abs(b.pas - pas) < Math.abs(a.pas - pas) ? b : a)));
  return [...new Set(nearest)];
}

interface JudgedFront {
  readonly judge: Judge;
  readonly front: readonly FrontierChoice[];
  readonly most: JudgedChoice;
}

function verifiedOr(other: JudgedChoice, judge: Judge, choice: JudgedChoice['choice']): JudgedChoice {
  const verdict = judge.verdict(choice);
  return showsSloMet(verdict) ? { choice, verdict } : other;
}

/**
 * For each point of `front`: its choice, or the cheapest choice found that is at least as accurate. All choices are
 * verified and undominated; their costs rise.
 */
function verifiedFront(prepared: PreparedProblem, { judge, front, most }: JudgedFront): readonly JudgedChoice[] {
  const held: JudgedChoice[] = [most];
  for (const { choice, pas } of [...front].reverse()) {
    const dearer = held[0] ?? most;
    const known = costOf(choice) < costOf(dearer.choice) ? verifiedOr(dearer, judge, choice) : dearer;
    const judged = trimChoice(prepared, judge, { held: known, pas });
    if (costOf(judged.choice) < costOf(dearer.choice)) held.unshift(judged);
  }
  return dropDominated(prepared, held);
}

/** Maximum work per point, in full verifications. */
const POINT_WORK = 14;
const BELOW = 1 - 1e-6;

interface SimulatedFront {
  readonly held: readonly JudgedChoice[];
  readonly complete: boolean;
  readonly omitted: number;
}

/** Searches below falling cost limits, starting at the most accurate choice. A thinned `front` provides the limits. */
function simulatedFront(
  prepared: PreparedProblem,
  judge: ChoiceJudge,
  {
    most,
    front,
    known,
  }: { readonly most: JudgedChoice; readonly front: readonly FrontierChoice[]; readonly known: number },
): SimulatedFront {
  const [cpuCores, memoryBytes, gpus] = prepared.limits;
  const thinned = known > front.length;
  const held: JudgedChoice[] = [most];
  let complete = true;
  while (held.length < MOST_POINTS) {
    const last = held[0] as JudgedChoice;
    const below = costOf(last.choice) * BELOW;
    const costs = front.map(({ choice }) => costOf(choice)).filter((cost) => cost <= below);
    const mostCost = thinned ? Math.max(0, ...costs) : below;
    const within: PreparedProblem = { ...prepared, limits: [cpuCores, memoryBytes, gpus, mostCost] };
    const start = judge.bestHeld(
      (choice) => costOf(choice) <= mostCost,
      (choice) => pasOf(prepared.accuracy, choice),
    );
    const search = new ChoiceSearch(within, judge, pasOf(prepared.accuracy, last.choice));
    const found = search.run(start, POINT_WORK);
    complete &&= found.exhausted;
    if (found.held === undefined) break;
    held.unshift(found.held);
  }
  return { held, complete: complete && !thinned, omitted: thinned ? Math.max(0, known - held.length) : 0 };
}

function dropDominated({ accuracy }: PreparedProblem, held: readonly JudgedChoice[]): readonly JudgedChoice[] {
  let reached = 0;
  return held.filter(({ choice }) => {
    const pas = pasOf(accuracy, choice);
    if (pas <= reached) return false;
    reached = pas;
    return true;
  });
}

function pointOf(
  prepared: PreparedProblem,
  choice: JudgedChoice['choice'],
  verified: PlanVerification | undefined,
): FrontierPoint {
  const options = choice.map((o) => o.option);
  const plan = planOf(prepared, options);
  const { pas, costPerHour, cpuCores } = plan.predicted;
  return { pas, costPerHour, cpuCores, plan: verified === undefined ? plan : { ...plan, verified } };
}

/** The Pareto front, or the reason why no plan is verified. Switching costs do not count. */
export function frontier(
  problem: PlanningProblem,
  verify?: VerifyPlan,
  options: FrontierOptions = {},
): Frontier | PlanResult {
  const { runningPlan: _, ...fresh } = problem;
  const cases = planCases({ ...fresh, objective: { kind: 'max-accuracy' } });
  const answers = cases.map((each) => caseFrontier(each, verify, options));
  const [first, ...others] = answers.filter(({ kind }) => kind === 'frontier') as Frontier[];
  if (first === undefined) return answers.find(({ kind }) => kind === 'not-found') ?? (answers[0] as PlanResult);
  const front = others.reduce(mergedFronts, first);
  return answers.some(({ kind }) => kind === 'not-found') ? { ...front, complete: false } : front;
}

function mergedFronts(a: Frontier, b: Frontier): Frontier {
  const all = [...a.points, ...b.points].sort((p, q) => p.costPerHour - q.costPerHour || q.pas - p.pas);
  let reached = 0;
  const points = all.filter(({ pas }) => {
    if (pas <= reached) return false;
    reached = pas;
    return true;
  });
  return {
    ...a,
    points,
    toleranceFraction: Math.max(a.toleranceFraction, b.toleranceFraction),
    complete: a.complete && b.complete,
    omittedPoints: a.omittedPoints + b.omittedPoints,
  };
}

function caseFrontier(
  asked: PlanningProblem,
  verify: VerifyPlan | undefined,
  options: FrontierOptions,
): Frontier | PlanResult {
  const prepared = prepareProblem(asked);
  const decided =
    verify !== undefined && isDecidedBySimulation(prepared) ? simulationJudge(prepared, verify) : undefined;
  const isInfeasible = () => relaxationBound(asked) === undefined;
  const outcome = answerOf(asked, searchPrepared(prepared, verify, { judge: decided }), { verify, isInfeasible });
  if (outcome.kind === 'none') return outcome.result;
  const { factors } = outcome.found;
  const { points, tolerance, complete } = exactFront(new SurrogateSolver(prepared), factors);
  const front = thinPoints(points, options.mostPoints ?? MOST_POINTS);
  const judge = judgeOf(prepared, verify);
  const { choice: mostAccurate } = outcome.found;
  const most = { choice: mostAccurate, verdict: judge.verdict(mostAccurate) };
  if (decided !== undefined) {
    const all = simulatedFront(prepared, decided, { most, front, known: points.length });
    return {
      kind: 'frontier',
      points: all.held.map(({ choice, verdict }) => pointOf(prepared, choice, verdict)),
      toleranceFraction: tolerance,
      complete: complete && all.complete,
      omittedPoints: all.omitted,
      factors,
    };
  }
  // With the sum of tails, verdicts filter nothing.
  const held =
    asked.estimator === 'sum-of-tails'
      ? front.map(({ choice }) => ({ choice, verdict: judge.verdict(choice) }))
      : verifiedFront(prepared, { judge, front, most });
  return {
    kind: 'frontier',
    points: held.map(({ choice, verdict }) => pointOf(prepared, choice, verify === undefined ? undefined : verdict)),
    toleranceFraction: tolerance,
    complete,
    omittedPoints: points.length - front.length,
    factors,
  };
}

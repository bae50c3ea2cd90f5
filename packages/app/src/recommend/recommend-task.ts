/** Question of `recommend` as plain data, so that a thread can answer it. */
import { planOfRouters } from '@equipoise/core/model';
import {
  type FreeQuantity,
  type Frontier,
  frontier,
  type PlanningProblem,
  type PlanningQuestion,
  problemOfRouter,
  type Recommendation,
  recommend,
  resultOfRouters,
  splitFor,
} from '@equipoise/core/plan';
import { type SeedFigures, seedFigures } from '../cells/seed-figures.js';
import { plannedHostCores, verifierFor } from '../compose/plan-verification.js';
import { simulatedRun } from '../compose/simulated-run.js';
import { routersOf } from '../sweep/sweep-cell.js';

/** Fixed value of the first of two free quantities. */
export interface FixedQuantity {
  readonly free: FreeQuantity;
  readonly value: number;
}

export interface RecommendTask {
  /** `trade-off`: all plans of the frontier of accuracy and cost. */
  readonly free: FreeQuantity | 'trade-off';
  readonly at?: FixedQuantity;
  readonly problem: Omit<PlanningProblem, 'clock'>;
  readonly accuracyFloor: number;
  readonly verify: boolean;
}

/** Answer with what a simulation of its plan adds. `frontier`: of which its plan is a point. */
export interface Answer {
  readonly recommended: Recommendation;
  readonly at?: FixedQuantity;
  readonly figures?: SeedFigures;
  readonly frontier?: FrontierFacts;
}

export type FrontierFacts = Pick<Frontier, 'complete' | 'omittedPoints' | 'toleranceFraction'>;

/** Message of a thread. */
export interface TaskAnswers {
  readonly kind: 'answered';
  readonly answers: readonly Answer[];
}

export function answersTo(task: RecommendTask): readonly Answer[] {
  const { free, at, accuracyFloor, verify } = task;
  const problem: PlanningProblem = { ...task.problem, clock: { nowMs: () => performance.now() } };
  const question: PlanningQuestion = { problem, accuracyFloor, verifierOf: verify ? verifierOf : undefined };
  const answers: readonly Answer[] =
    free === 'trade-off' ? frontierAnswers(question) : [{ ...(at && { at }), recommended: recommend(question, free) }];
  return answers.map(withoutClock).map((answer) => (verify ? withFigures(answer) : answer));
}

const verifierOf = ({ spec, profiles, arrivalRps }: PlanningProblem) =>
  verifierFor(spec, profiles, { arrivalRps, hostCores: plannedHostCores(spec) });

/** Cost and accuracy are the axes of the frontier, here without a budget. */
function frontierAnswers(question: PlanningQuestion): readonly Answer[] {
  const problem: PlanningProblem = {
    ...question.problem,
    spec: { ...question.problem.spec, budget: {}, objective: { kind: 'max-accuracy' } },
  };
  const split = splitFor(problem.spec, problem);
  const own = problemOfRouter(problem, split);
  const front = frontier(own, question.verifierOf?.(own));
  if (front.kind !== 'frontier') {
    const result = resultOfRouters(front, split);
    return result.kind === 'feasible' ? [] : [{ recommended: { kind: 'none', free: 'accuracy', result } }];
  }
  const { complete, omittedPoints, toleranceFraction } = front;
  return front.points.map(({ pas, costPerHour, plan }) => ({
    frontier: { complete, omittedPoints, toleranceFraction },
    at: { free: 'cost', value: costPerHour },
    recommended: { kind: 'found', free: 'accuracy', value: pas, plan: planOfRouters(plan, split), problem },
  }));
}

/** Functions do not pass between threads. */
function withoutClock(answer: Answer): Answer {
  const { recommended } = answer;
  if (recommended.kind === 'none') return answer;
  const { clock: _, ...problem } = recommended.problem;
  return { ...answer, recommended: { ...recommended, problem } };
}

export const SEEDS = [1, 2, 3, 4, 5];
export const REQUESTS = 2000;

/** Simulates the plan with the service times as profiled. */
function withFigures(answer: Answer): Answer {
  const { recommended } = answer;
  if (recommended.kind === 'none') return answer;
  const { plan, problem } = recommended;
  const { arrivalRps, profiles } = problem;
  const spec = { ...problem.spec, slo: problem.slo ?? problem.spec.slo };
  const load = { kind: 'poisson', arrivalRps, durationS: REQUESTS / arrivalRps } as const;
  const by = { plan };
  const runs = SEEDS.map((seed) => simulatedRun({ spec, profiles, load, seed, by, ...routersOf(by, {}) }).figures);
  return { ...answer, figures: seedFigures(runs) };
}

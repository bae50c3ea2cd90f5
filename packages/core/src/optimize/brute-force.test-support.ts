/** Judges every plan of a small problem by the oracle, to check the solver. */
import type { Objective } from '../model/pipeline-spec.js';
import {
  type OracleFactors,
  type OracleOption,
  type OraclePlan,
  PlanOracle,
  reachesFloor,
} from './plan-oracle.test-support.js';
import type { PlanningProblem } from './planning-problem.js';

/** The best plan, its objective value (larger is better), and counts of plans that miss a limit. */
export interface OracleAnswer {
  readonly plans: number;
  readonly feasible: number;
  readonly missedSlo: number;
  readonly missedBudget: number;
  readonly best?: { readonly value: number; readonly cost: number; readonly pas: number; readonly plan: OraclePlan };
}

const SLACK = 1e-9;

type Best = NonNullable<OracleAnswer['best']>;

function planValue(
  objective: Objective,
  plan: OraclePlan,
  totals: { readonly pas: number; readonly cost: number },
): number {
  if (objective.kind === 'max-accuracy') return totals.pas;
  if (objective.kind === 'min-cost') return -totals.cost;
  const batches = Object.values(plan).reduce((sum, o) => sum + o.batch, 0);
  return objective.accuracy * totals.pas - objective.cost * totals.cost - objective.batch * batches;
}

function replaces(objective: Objective, now: Best, best: Best | undefined): boolean {
  if (best === undefined) return true;
  if (Math.abs(now.value - best.value) > 1e-12 * Math.max(1, Math.abs(now.value))) return now.value > best.value;
  if (objective.kind === 'max-accuracy') return now.cost < best.cost;
  return objective.kind === 'min-cost' && now.pas > best.pas;
}

/** PAS and cost of the undominated plans, by rising cost. */
export function bruteForceFront(
  problem: PlanningProblem,
  theta: number,
  kappa: number,
): readonly { readonly pas: number; readonly cost: number }[] {
  const all: { pas: number; cost: number }[] = [];
  judgeAll(problem, { theta, kappa }, ({ pas, cost }) => all.push({ pas, cost }));
  all.sort((a, b) => a.cost - b.cost || b.pas - a.pas);
  const front: { pas: number; cost: number }[] = [];
  for (const point of all) if (point.pas > (front.at(-1)?.pas ?? 0) * (1 + 1e-12)) front.push(point);
  // Costs that differ only by rounding count as equal.
  return front.filter(({ cost }, i) => (front[i + 1]?.cost ?? Infinity) > cost * (1 + SLACK));
}

/** Judges every plan of `problem`, whose spec already has the overrides, under θ and κ. */
export function bruteForce(problem: PlanningProblem, theta: number, kappa: number): OracleAnswer {
  const { objective } = problem.spec;
  let best: Best | undefined;
  const tally = judgeAll(problem, { theta, kappa }, (totals) => {
    if (!reachesFloor(problem.spec, totals.pas)) return;
    const now = { value: planValue(objective, totals.plan, totals), ...totals };
    if (replaces(objective, now, best)) best = now;
  });
  return { ...tally, ...(best === undefined ? {} : { best }) };
}

interface PlanTotals {
  readonly plan: OraclePlan;
  readonly pas: number;
  readonly cost: number;
}

/** Calls `take` with every plan that keeps SLO, budget and machines. Counts the limits that the other plans miss. */
function judgeAll(
  problem: PlanningProblem,
  factors: OracleFactors,
  take: (totals: PlanTotals) => void,
): Omit<OracleAnswer, 'best'> {
  const oracle = new PlanOracle(problem, factors);
  const { stages } = oracle.spec;
  const tally = { plans: 0, feasible: 0, missedSlo: 0, missedBudget: 0 };
  const judge = (plan: OraclePlan): void => {
    const { inTime, inBudget, pas, cost } = oracle.judge(plan);
    tally.plans++;
    if (!inBudget) tally.missedBudget++;
    if (!inTime) tally.missedSlo++;
    if (pas === undefined) return;
    tally.feasible++;
    take({ plan, pas, cost });
  };
  const extend = (s: number, plan: OraclePlan): void => {
    const stage = stages[s];
    if (stage === undefined) judge(plan);
    else for (const o of oracle.options[s] as readonly OracleOption[]) extend(s + 1, { ...plan, [stage.id]: o });
  };
  extend(0, {});
  return tally;
}

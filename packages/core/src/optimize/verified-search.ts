/**
 * The θ loop: an exact solve of the additive surrogate, a simulation of its plan, and an adjustment of the surrogate until the plan holds.
 *
 * A percentile of a sum is not additive, so no factor θ is right for every plan. One level runs through both factors: up to 1 it is θ
 * with κ = 1, above 1 it is κ with θ = 1. A plan that misses raises the level to where it cannot come back; a surrogate without a plan
 * lowers it; once a plan holds, the level is bisected down for a better one. Every step is bounded by a number of rounds, not by time.
 */
import type { Plan, PlanVerification } from '../model/plan.js';
import { leastLatencyChoice } from './least-latency.js';
import { isBetter, objectiveValue } from './objective-value.js';
import { planOf } from './plan-of.js';
import { graphLatencyMs } from './planning-graph.js';
import type { VerifyPlan } from './planning-problem.js';
import type { PlanningSetting } from './planning-setting.js';
import type { Solution } from './solution.js';
import { solve } from './solve.js';
import { type LatencyFactors, optionLatencyMs, type SurrogateOption, surrogateProblem } from './surrogate.js';

/** A plan with the factors under which it was found. `fellBack` marks the plan of least latency, taken when no solve gave one that holds. */
export interface FoundPlan {
  readonly plan: Plan;
  readonly choice: readonly SurrogateOption[];
  readonly value: number;
  readonly factors: LatencyFactors;
  readonly solution: Solution;
  readonly fellBack: boolean;
}

/** A plan that holds, or none; then the fastest plan within the budgets, if there is any. */
export type SearchOutcome =
  | { readonly kind: 'found'; readonly found: FoundPlan; readonly labels: number }
  | { readonly kind: 'none'; readonly fastest?: Plan; readonly labels: number };

const ROUNDS = 8;
const BISECTIONS = 3;
/** Below this θ the next step down is 0. */
const SMALLEST_THETA = 0.05;
/** A plan that missed without exceeding the SLO (an inconclusive run) is taken to exceed it by this much. */
const LEAST_EXCESS = 1.005;

const factorsAt = (level: number): LatencyFactors =>
  level <= 1 ? { theta: level, kappa: 1 } : { theta: 1, kappa: level };

interface Attempt {
  readonly level: number;
  readonly solution: Solution;
  readonly choice: readonly SurrogateOption[];
  readonly plan: Plan;
  readonly holds: boolean;
  readonly simulatedMs: number;
}

/** Whether the simulated plan meets the SLO. */
export function holds(plan: PlanVerification, percentile: number): boolean {
  return plan.conclusive && plan.sloAttainmentFraction >= percentile / 100;
}

/** The search over one setting; remembers simulated plans so that none runs twice. */
class VerifiedSearch {
  readonly #setting: PlanningSetting;
  readonly #verify: VerifyPlan;
  readonly #verified = new Map<string, Plan>();
  labels = 0;

  constructor(setting: PlanningSetting, verify: VerifyPlan) {
    this.#setting = setting;
    this.#verify = verify;
  }

  solveAt(level: number): Solution {
    const solution = solve(surrogateProblem(this.#setting, factorsAt(level)));
    this.labels += solution.labels;
    return solution;
  }

  verifiedPlan(choice: readonly SurrogateOption[]): Plan {
    const key = choice
      .map(({ option: o }) => `${o.variantIndex}/${o.resources.cpuCores}/${o.maxBatchSize}/${o.replicas}`)
      .join(' ');
    const known = this.#verified.get(key);
    if (known !== undefined) return known;
    const plan = planOf(
      this.#setting,
      choice.map((o) => o.option),
    );
    const verified = { ...plan, verified: this.#verify(plan, this.#setting.spec.slo) };
    this.#verified.set(key, verified);
    return verified;
  }

  attempt(level: number): Attempt | undefined {
    const solution = this.solveAt(level);
    return solution.choice === undefined ? undefined : this.judge(level, solution, solution.choice);
  }

  judge(level: number, solution: Solution, choice: readonly SurrogateOption[]): Attempt {
    const plan = this.verifiedPlan(choice);
    const { latencyMs } = plan.verified as PlanVerification;
    return { level, solution, choice, plan, holds: this.planHolds(plan), simulatedMs: latencyMs };
  }

  planHolds(plan: Plan): boolean {
    return plan.verified !== undefined && holds(plan.verified, this.#setting.spec.slo.percentile);
  }

  valueOf(choice: readonly SurrogateOption[]): number {
    return objectiveValue(this.#setting.objective, this.#setting.accuracy, choice);
  }

  better(a: readonly SurrogateOption[], b: readonly SurrogateOption[]): boolean {
    return isBetter(this.#setting.objective, this.valueOf(a), this.valueOf(b));
  }

  /** Surrogate latency (ms) of a choice at a level. */
  latencyAt(choice: readonly SurrogateOption[], level: number): number {
    const factors = factorsAt(level);
    return graphLatencyMs(this.#setting.graph, (s) => optionLatencyMs((choice[s] as SurrogateOption).option, factors));
  }

  /** Level above which a plan that missed is too slow for the surrogate as well. */
  raisedLevel({ level, choice, simulatedMs }: Attempt): number {
    const { sloMs } = this.#setting;
    const targetMs = Math.max(simulatedMs, sloMs * LEAST_EXCESS);
    const proportional = (level * targetMs) / sloMs;
    const atOne = this.latencyAt(choice, 1);
    if (atOne <= targetMs) return Math.max(proportional, targetMs / atOne);
    let [low, high] = [0, 1];
    for (let i = 0; i < 40; i++) {
      const middle = (low + high) / 2;
      if (this.latencyAt(choice, middle) < targetMs) low = middle;
      else high = middle;
    }
    return Math.max(proportional, high);
  }
}

const lowered = (level: number): number => (level > 1 ? 1 : level / 2 < SMALLEST_THETA ? 0 : level / 2);

/** Raises and lowers the level until a plan holds; also tells the highest level that failed. */
function firstThatHolds(search: VerifiedSearch, start: number): { readonly held?: Attempt; readonly failedAt: number } {
  let level = start;
  let failedAt = 0;
  let emptyAt = Number.POSITIVE_INFINITY;
  for (let round = 0; round < ROUNDS; round++) {
    const attempt = search.attempt(level);
    if (attempt?.holds) return { held: attempt, failedAt };
    if (attempt === undefined) {
      if (level === 0) break;
      emptyAt = level;
      level = failedAt > 0 ? (failedAt + level) / 2 : lowered(level);
    } else {
      failedAt = level;
      const raised = search.raisedLevel(attempt);
      level = raised < emptyAt ? raised : (level + emptyAt) / 2;
    }
  }
  return { failedAt };
}

/** Bisects the level down from a plan that holds, for a better plan that also does. */
function improved(search: VerifiedSearch, held: Attempt, failedAt: number): Attempt {
  let best = held;
  let [low, high] = [failedAt, held.level];
  for (let i = 0; i < BISECTIONS && high > low; i++) {
    const level = (low + high) / 2;
    const solution = search.solveAt(level);
    if (solution.choice === undefined || !search.better(solution.choice, best.choice)) {
      high = level;
      continue;
    }
    const attempt = search.judge(level, solution, solution.choice);
    if (attempt.holds) {
      best = attempt;
      high = level;
    } else low = level;
  }
  return best;
}

function fastest(search: VerifiedSearch, setting: PlanningSetting): Attempt | undefined {
  const problem = surrogateProblem(setting, factorsAt(1));
  const choice = leastLatencyChoice(problem);
  if (choice === undefined) return undefined;
  return search.judge(1, { choice, optimal: false, gapFraction: 1, solver: 'least-latency', labels: 0 }, choice);
}

function foundPlan(search: VerifiedSearch, attempt: Attempt, fellBack: boolean): FoundPlan {
  const { plan, choice, solution, level } = attempt;
  return { plan, choice, solution, factors: factorsAt(level), value: search.valueOf(choice), fellBack };
}

/** Searches a plan that `verify` confirms. */
export function verifiedSearch(setting: PlanningSetting, verify: VerifyPlan): SearchOutcome {
  const search = new VerifiedSearch(setting, verify);
  const { held, failedAt } = firstThatHolds(search, 1 / Math.sqrt(setting.graph.depth));
  if (held !== undefined) {
    const found = foundPlan(search, improved(search, held, failedAt), false);
    return { kind: 'found', found, labels: search.labels };
  }
  const last = fastest(search, setting);
  if (last?.holds) return { kind: 'found', found: foundPlan(search, last, true), labels: search.labels };
  return { kind: 'none', ...(last === undefined ? {} : { fastest: last.plan }), labels: search.labels };
}

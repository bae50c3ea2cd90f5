/**
 * The best value of a free quantity, with the plan that reaches it, while all other conditions are fixed. The limit on
 * the free quantity does not count. So the answers also say what would make an infeasible question feasible.
 *
 * Cost and accuracy are objectives of the planner. Load, SLO and robustness are searched: the estimate gives a first
 * value, then verified plans on both sides of it are bisected. It is assumed that a plan for a harder value exists only
 * if there is one for every easier value. Plans are for the routers of the spec.
 */
import type { Certificate, Plan, PlanResult } from '../model/plan.js';
import { planOfRouters } from '../model/router-split.js';
import { optimize, planIfAny } from './optimize.js';
import { problemOfRouter, resultOfRouters, splitFor } from './plan-routers.js';
import { type PlanningProblem, specOf, type VerifyPlan } from './planning-problem.js';

/** `cost` per hour, `accuracy` (0…1), `load` in rps, latency of the `slo` in ms, `robustness` as a service factor. */
export type FreeQuantity = 'cost' | 'accuracy' | 'load' | 'slo' | 'robustness';

export interface PlanningQuestion {
  readonly problem: PlanningProblem;
  /** Minimum accuracy of all plans; 0 for none. */
  readonly accuracyFloor: number;
  /** Verifier for the load and the spec of the problem of one router. Without it, the estimate decides. */
  readonly verifierOf?: ((problem: PlanningProblem) => VerifyPlan) | undefined;
}

/**
 * `problem`: with the value of the free quantity. `certificate`: of a value that the planner optimizes; a searched value
 * has none. `none`: no value has a plan.
 */
export type Recommendation =
  | {
      readonly kind: 'found';
      readonly free: FreeQuantity;
      readonly value: number;
      readonly plan: Plan;
      readonly problem: PlanningProblem;
      readonly certificate?: Certificate;
    }
  | { readonly kind: 'none'; readonly free: FreeQuantity; readonly result: Exclude<PlanResult, { kind: 'feasible' }> };

export function recommend(question: PlanningQuestion, free: FreeQuantity): Recommendation {
  if (free === 'cost' || free === 'accuracy') return bestByObjective(question, free);
  const search = new ValueSearch(question, searched[free]);
  const found = search.run();
  if (found !== undefined) return { kind: 'found', free, ...found };
  const { result, ...at } = search.reason();
  return result.kind === 'feasible'
    ? { kind: 'found', free, ...at, plan: result.plan }
    : { kind: 'none', free, result };
}

function bestByObjective(question: PlanningQuestion, free: 'cost' | 'accuracy'): Recommendation {
  const { accuracyFloor, problem: asked } = question;
  const problem: PlanningProblem =
    free === 'cost'
      ? { ...withoutBudget(asked), objective: { kind: 'min-cost', accuracyFloor } }
      : { ...asked, objective: { kind: 'max-accuracy' } };
  const result = bestPlan(problem, question.verifierOf);
  if (result.kind !== 'feasible') return { kind: 'none', free, result };
  const { plan, certificate } = result;
  const { pas, costPerHour } = plan.predicted;
  return { kind: 'found', free, value: free === 'cost' ? costPerHour : pas, plan, problem, certificate };
}

/** Plans of several routers are made for one of them. */
function bestPlan(problem: PlanningProblem, verifierOf: PlanningQuestion['verifierOf']): PlanResult {
  const split = splitFor(problem.spec, problem);
  const own = problemOfRouter(problem, split);
  return resultOfRouters(optimize(own, verifierOf?.(own)), split);
}

function anyPlan(problem: PlanningProblem, verifierOf: PlanningQuestion['verifierOf']): Plan | undefined {
  const split = splitFor(problem.spec, problem);
  const own = problemOfRouter(problem, split);
  const plan = planIfAny(own, verifierOf?.(own));
  return plan && planOfRouters(plan, split);
}

const withoutBudget = (problem: PlanningProblem): PlanningProblem => ({
  ...problem,
  budget: {},
  spec: { ...problem.spec, budget: {} },
});

/** A quantity that is searched. `hardness` orders the values: 1 if larger ones are harder, else −1. */
interface SearchedQuantity {
  readonly hardness: 1 | -1;
  readonly least: number;
  readonly most: number;
  startOf(problem: PlanningProblem): number;
  at(problem: PlanningProblem, value: number): PlanningProblem;
}

const searched: Readonly<Record<Exclude<FreeQuantity, 'cost' | 'accuracy'>, SearchedQuantity>> = {
  load: {
    hardness: 1,
    least: 1e-3,
    most: 1e7,
    startOf: ({ arrivalRps }) => (arrivalRps > 0 ? arrivalRps : 1),
    at: (problem, arrivalRps) => ({ ...problem, arrivalRps }),
  },
  slo: {
    hardness: -1,
    least: 1e-2,
    most: 1e7,
    startOf: (problem) => specOf(problem).slo.latencyMs,
    at: (problem, latencyMs) => ({ ...problem, slo: { ...specOf(problem).slo, latencyMs } }),
  },
  robustness: {
    hardness: 1,
    least: 1,
    most: 10,
    startOf: ({ spec }) => spec.robustness?.serviceFactor ?? 1,
    at: (problem, serviceFactor) => ({ ...problem, spec: { ...problem.spec, robustness: { serviceFactor } } }),
  },
};

/** Relative precision of the value. */
const PRECISION = 0.005;
/** First step away from the value of the estimate. */
const FIRST_RATIO = 1.05;
const MOST_STEPS = 64;
/** Work of a search for one value, in full verifications. */
const WORK_LIMIT = 60;

interface FoundValue {
  readonly value: number;
  readonly plan: Plan;
  readonly problem: PlanningProblem;
}

class ValueSearch {
  readonly #question: PlanningQuestion;
  readonly #quantity: SearchedQuantity;
  #found: FoundValue | undefined;
  /** The last value without a plan. */
  #lastMiss: Pick<FoundValue, 'value' | 'problem'> | undefined;

  constructor(question: PlanningQuestion, quantity: SearchedQuantity) {
    this.#question = question;
    this.#quantity = quantity;
  }

  run(): FoundValue | undefined {
    const { problem, verifierOf } = this.#question;
    const start = this.#bounded(this.#quantity.startOf(problem));
    const estimated = this.#hardest({ start, ratio: 2, verified: false });
    if (verifierOf === undefined) return this.#found;
    this.#found = undefined;
    // The estimate may find nothing where a simulation does.
    if (estimated === undefined) this.#hardest({ start, ratio: 2, verified: true });
    else this.#hardest({ start: estimated, ratio: FIRST_RATIO, verified: true });
    return this.#found;
  }

  /** Hardest value with a plan, searched from `start`; undefined if there is none. */
  #hardest(from: { readonly start: number; readonly ratio: number; readonly verified: boolean }): number | undefined {
    const { verified } = from;
    const bracket = this.#bracket(from);
    if (bracket.fails === undefined || bracket.holds === undefined) return bracket.holds;
    let { holds, fails } = bracket;
    for (let step = 0; step < MOST_STEPS && Math.abs(holds - fails) > PRECISION * Math.min(holds, fails); step++) {
      const middle = Math.sqrt(holds * fails);
      if (this.#holdsAt(middle, verified)) holds = middle;
      else fails = middle;
    }
    return holds;
  }

  /** Steps with growing ratios until one value holds and the next harder one does not, or the range ends. */
  #bracket(from: { readonly start: number; readonly ratio: number; readonly verified: boolean }): {
    readonly holds: number | undefined;
    readonly fails: number | undefined;
  } {
    const { start, verified } = from;
    const isFeasible = this.#holdsAt(start, verified);
    const direction = isFeasible ? this.#quantity.hardness : -this.#quantity.hardness;
    let last = start;
    let { ratio } = from;
    for (let step = 0; step < MOST_STEPS; step++) {
      const next = this.#bounded(last * ratio ** direction);
      if (next === last) break;
      if (this.#holdsAt(next, verified) !== isFeasible)
        return isFeasible ? { holds: last, fails: next } : { holds: next, fails: last };
      last = next;
      ratio **= 1.5;
    }
    return isFeasible ? { holds: last, fails: undefined } : { holds: undefined, fails: last };
  }

  #holdsAt(value: number, verified: boolean): boolean {
    const { problem: asked, accuracyFloor, verifierOf } = this.#question;
    const at = this.#quantity.at(asked, value);
    const problem: PlanningProblem = {
      ...at,
      objective: { kind: 'min-cost', accuracyFloor },
      verifiesAdvice: false,
      workLimit: asked.workLimit ?? WORK_LIMIT,
      ...(this.#found && { candidates: [this.#found.plan.stages] }),
    };
    const verifiedBy = verified ? verifierOf : undefined;
    const plan = anyPlan(problem, verifiedBy);
    if (plan === undefined) {
      this.#lastMiss = { value, problem };
      return false;
    }
    const { hardness } = this.#quantity;
    if (this.#found === undefined || hardness * (value - this.#found.value) > 0) this.#found = { value, plan, problem };
    return true;
  }

  /**
   * Requires a run without a plan. Advice by the estimate alone may ask for too much, so this verifies it. That may lead
   * to a plan after all.
   */
  reason(): Pick<FoundValue, 'value' | 'problem'> & { readonly result: PlanResult } {
    if (this.#lastMiss === undefined) throw new RangeError('every value had a plan');
    const { value, problem: missed } = this.#lastMiss;
    const { verifiesAdvice: _, ...problem } = missed;
    return { value, problem, result: bestPlan(problem, this.#question.verifierOf) };
  }

  #bounded(value: number): number {
    return Math.min(this.#quantity.most, Math.max(this.#quantity.least, value));
  }
}

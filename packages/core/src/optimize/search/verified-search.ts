/**
 * The θ loop: solves the additive surrogate exactly, verifies its plan, and adjusts the surrogate until its plan meets
 * the SLO. A level up to 1 means θ (with κ = 1); above 1 it means κ (with θ = 1). A miss raises the level; an
 * infeasible surrogate lowers it. Once a plan is verified, the level is bisected down. The number of rounds is limited.
 */

import { MOST_USUAL_STAGES } from '../../model/pipeline-spec.js';
import { type PlanVerification, showsSloMet } from '../../model/plan.js';
import type { PreparedProblem } from '../options/prepared-problem.js';
import {
  type LatencyFactors,
  optionLatencyMs,
  type Solution,
  type SurrogateChoice,
  type SurrogateOption,
} from '../options/surrogate.js';
import { graphLatencyMs } from '../problem/planning-graph.js';
import { leastLatencyChoice } from '../surrogate/least-latency.js';
import { isBetter, objectiveValue } from '../surrogate/objective-value.js';
import { SurrogateSolver } from '../surrogate/surrogate-solver.js';
import { ChoiceRepair, simulatesShares } from './repair.js';

const ROUNDING = 1e-12;

/** The cheapest verified choice found whose PAS is at least `pas`, or `held`. */
export function trimChoice(
  prepared: PreparedProblem,
  judge: Judge,
  from: { readonly held: JudgedChoice; readonly pas: number },
): JudgedChoice {
  const objective = { kind: 'min-cost', accuracyFloor: from.pas * (1 - ROUNDING) } as const;
  return new LevelSearch({ ...prepared, objective }, judge).betterThan(from.held);
}

export interface Judge {
  /** Verdict by simulation, or by the estimate of the whole graph. */
  verdict(choice: SurrogateChoice): PlanVerification;
  /** Latency (ms) by the estimate of the whole graph. */
  estimateMs(choice: SurrogateChoice): number;
  judged(): number;
}

export interface FoundChoice {
  readonly choice: SurrogateChoice;
  readonly verdict: PlanVerification;
  readonly value: number;
  readonly factors: LatencyFactors;
  readonly solution: Solution;
}

export interface JudgedChoice {
  readonly choice: SurrogateChoice;
  readonly verdict: PlanVerification;
}

/** Result of a search. Without a verified choice, `fastest` is the fastest choice within the budgets, if any. */
export type SearchOutcome =
  | { readonly kind: 'found'; readonly found: FoundChoice; readonly labels: number }
  | { readonly kind: 'none'; readonly fastest: JudgedChoice | undefined; readonly labels: number };

const ROUNDS = 8;
/** Maximum rounds if a search by simulation follows. It reaches few of the plans of a long pipeline. */
const FIRST_ROUNDS = 2;
/** Growth per round of the least excess, for a long pipeline: simulations near its SLO show nothing. */
const EXCESS_GROWTH = 2;
const BISECTIONS = 3;
/** Smallest positive θ. Smaller halves become 0. */
const SMALLEST_THETA = 0.05;
const LEAST_EXCESS = 0.005;
const LEVEL_STEPS = 40;
const MOST_TRIMS = 3;
const LAST_RESORTS = 8;

const factorsAt = (level: number): LatencyFactors =>
  level <= 1 ? { theta: level, kappa: 1 } : { theta: 1, kappa: level };

interface Attempt extends JudgedChoice {
  readonly level: number;
  readonly solution: Solution;
  readonly verified: boolean;
}

const lowerLevel = (level: number): number => (level > 1 ? 1 : level / 2 < SMALLEST_THETA ? 0 : level / 2);

/** Search for a level. `labels` counts labels over all solves. */
class LevelSearch {
  readonly #prepared: PreparedProblem;
  readonly #solver: SurrogateSolver;
  readonly #judge: Judge;
  readonly #repairer: ChoiceRepair;
  #failedAt = 0;
  labels = 0;

  constructor(prepared: PreparedProblem, judge: Judge) {
    this.#prepared = prepared;
    this.#solver = new SurrogateSolver(prepared);
    this.#judge = judge;
    this.#repairer = new ChoiceRepair(prepared, (choice) => judge.estimateMs(choice));
  }

  /** First verified attempt. If it is a repair, the level still rises while the surrogate promises a better plan. */
  firstVerified(rounds = ROUNDS, excessGrowth = 1): Attempt | undefined {
    let leastExcess = LEAST_EXCESS;
    let level = 1 / Math.sqrt(this.#prepared.graph.depth);
    let emptyAt = Number.POSITIVE_INFINITY;
    let best: Attempt | undefined;
    for (let round = 0; round < rounds; round++) {
      const solution = this.#solve(level);
      if (solution.choice === undefined) {
        if (level === 0) return best;
        emptyAt = level;
        level = this.#failedAt > 0 ? (this.#failedAt + level) / 2 : lowerLevel(level);
        continue;
      }
      if (this.#isAsGood(best, solution)) return best;
      const own = this.#attempt(level, solution, solution.choice);
      best = this.#repairedOr(own, best);
      if (this.#isAsGood(best, solution)) return best;
      this.#failedAt = level;
      const raised = this.#raisedLevel(own, leastExcess);
      leastExcess *= excessGrowth;
      level = raised < emptyAt ? raised : (level + emptyAt) / 2;
    }
    return best;
  }

  #repairedOr(own: Attempt, before: Attempt | undefined): Attempt | undefined {
    const attempt = own.verified ? own : this.#repair(own, before);
    return attempt.verified ? attempt : before;
  }

  #isAsGood(held: Attempt | undefined, solution: Solution): boolean {
    return held !== undefined && !this.#isBetterThan(solution, held);
  }

  /** Lowers the level by bisection, then trims the plan. */
  improve(held: Attempt): Attempt {
    return this.#trim(this.#isBetterThan(this.#solve(0), held) ? this.#improveLevel(held) : held);
  }

  /** Attempt for a choice that another search found, with the gap that the first surrogate proves. */
  improvedBy(by: JudgedChoice | undefined, first: Attempt | undefined): Attempt | undefined {
    if (by === undefined || by.choice === first?.choice) return first;
    const level = first?.level ?? 1 / Math.sqrt(this.#prepared.graph.depth);
    const solution = first?.solution ?? this.#solve(level);
    const { choice, verdict } = by;
    return { choice, verdict, level, solution: this.#relativeTo(solution, choice, 'improved'), verified: true };
  }

  betterThan({ choice, verdict }: JudgedChoice): JudgedChoice {
    const solution: Solution = { choice, optimal: false, gapFraction: 1, solver: 'none', labels: 0 };
    return this.improve({ choice, verdict, solution, level: 1, verified: true });
  }

  #improveLevel(held: Attempt): Attempt {
    const best = this.#bisectLevel(held, this.#failedAt, held.level);
    // The last failed level rejected only one plan. Lower levels have other plans.
    return this.#failedAt > 0 && this.#isBetterThan(this.#solve(0), best)
      ? this.#bisectLevel(best, 0, this.#failedAt)
      : best;
  }

  #bisectLevel(held: Attempt, from: number, to: number): Attempt {
    let best = held;
    let [low, high] = [from, to];
    for (let i = 0; i < BISECTIONS && high > low; i++) {
      const level = (low + high) / 2;
      const solution = this.#solve(level);
      const attempt = this.#isBetterThan(solution, best)
        ? this.#attemptOrRepair(level, solution, solution.choice ?? [], best)
        : undefined;
      if (attempt?.verified === false) {
        low = level;
        continue;
      }
      best = attempt ?? best;
      high = level;
    }
    return best;
  }

  #trim(held: Attempt): Attempt {
    if (simulatesShares(held.choice)) return held;
    const path = this.#repairer.trims(held.choice, this.#solver.problem(factorsAt(held.level)));
    const solution = { ...held.solution, solver: `${held.solution.solver}, trimmed` };
    for (const choice of path.slice(0, MOST_TRIMS)) {
      // With `weights`, larger batches may cost more than is saved.
      if (this.#isBetter(held.choice, choice)) continue;
      const attempt = this.#attempt(held.level, solution, choice);
      if (attempt.verified) return attempt;
    }
    return held;
  }

  /** Attempt with the smallest sum of tails, repaired if necessary. */
  fastestAttempt(): Attempt | undefined {
    const choice = leastLatencyChoice(this.#solver, factorsAt(1));
    if (choice === undefined) return undefined;
    const solution: Solution = { choice, optimal: false, gapFraction: 1, solver: 'least-latency', labels: 0 };
    const attempt = this.#attempt(1, solution, choice);
    const second = attempt.verified ? attempt : this.#repair(attempt, undefined, true);
    return second.verified ? second : (this.#lastResort(solution) ?? second);
  }

  #lastResort(solution: Solution): Attempt | undefined {
    for (const choice of this.#repairer.promisingChoices(this.#solver.problem(factorsAt(1))).slice(0, LAST_RESORTS)) {
      const attempt = this.#attempt(1, solution, choice);
      if (attempt.verified) return attempt;
    }
    return undefined;
  }

  toFoundChoice({ choice, verdict, solution, level }: Attempt): FoundChoice {
    return { choice, verdict, solution, factors: factorsAt(level), value: this.#valueOf(choice) };
  }

  #solve(level: number): Solution {
    const solution = this.#solver.solve(factorsAt(level));
    this.labels += solution.labels;
    return solution;
  }

  #attemptOrRepair(level: number, solution: Solution, choice: SurrogateChoice, than?: Attempt): Attempt {
    const attempt = this.#attempt(level, solution, choice);
    return attempt.verified ? attempt : this.#repair(attempt, than);
  }

  #attempt(level: number, solution: Solution, choice: SurrogateChoice): Attempt {
    const verdict = this.#judge.verdict(choice);
    if (!showsSloMet(verdict)) this.#repairer.recordMiss(choice);
    return { level, solution, choice, verdict, verified: showsSloMet(verdict) };
  }

  /**
   * Looks for a repair better than `than`. Returns it if verified or faster than `attempt`, else `attempt`. Changes
   * variants only with `anyVariant`.
   */
  #repair(attempt: Attempt, than: Attempt | undefined, anyVariant = false): Attempt {
    if (!anyVariant && simulatesShares(attempt.choice)) return attempt;
    const worthwhile = (choice: SurrogateChoice): boolean => than === undefined || this.#isBetter(choice, than.choice);
    const problem = this.#solver.problem(factorsAt(attempt.level));
    const choice = this.#repairer.repair(attempt.choice, problem, { anyVariant, worthwhile });
    if (choice === attempt.choice) return attempt;
    const second = this.#attempt(attempt.level, this.#relativeTo(attempt.solution, choice, 'repaired'), choice);
    return second.verified || second.verdict.latencyMs < attempt.verdict.latencyMs ? second : attempt;
  }

  #relativeTo(solution: Solution, to: SurrogateChoice, how: string): Solution {
    const solver = `${solution.solver}, ${how}`;
    if (solution.choice === undefined) return { ...solution, choice: to, solver };
    const [own, reached] = [this.#valueOf(solution.choice), this.#valueOf(to)];
    const lost = Math.abs(own - reached) / Math.max(1e-12, Math.abs(own), Math.abs(reached));
    const gapFraction = isBetter(this.#prepared.objective, own, reached)
      ? lost
      : solution.optimal
        ? 0
        : solution.gapFraction;
    const optimal = solution.optimal && gapFraction === 0;
    return { ...solution, choice: to, optimal, gapFraction, solver };
  }

  #valueOf(choice: SurrogateChoice): number {
    return objectiveValue(this.#prepared.objective, this.#prepared.accuracy, choice);
  }

  #isBetter(a: SurrogateChoice, b: SurrogateChoice): boolean {
    return isBetter(this.#prepared.objective, this.#valueOf(a), this.#valueOf(b));
  }

  #isBetterThan({ choice }: Solution, than: Attempt): boolean {
    return choice !== undefined && this.#isBetter(choice, than.choice);
  }

  #latencyAt(choice: SurrogateChoice, level: number): number {
    const factors = factorsAt(level);
    return graphLatencyMs(this.#prepared.graph, (s) => optionLatencyMs((choice[s] as SurrogateOption).option, factors));
  }

  #raisedLevel({ level, choice, verdict }: Attempt, leastExcess: number): number {
    const { sloMs } = this.#prepared;
    const targetMs = Math.max(verdict.latencyMs, sloMs * (1 + leastExcess));
    const proportional = (level * targetMs) / sloMs;
    const atOne = this.#latencyAt(choice, 1);
    if (atOne <= targetMs) return Math.max(proportional, targetMs / atOne);
    let [low, high] = [0, 1];
    for (let i = 0; i < LEVEL_STEPS; i++) {
      const middle = (low + high) / 2;
      if (this.#latencyAt(choice, middle) < targetMs) low = middle;
      else high = middle;
    }
    return Math.max(proportional, high);
  }
}

export type Improve = (held: JudgedChoice | undefined) => JudgedChoice | undefined;

function firstVerified(search: LevelSearch, of: { readonly improves: boolean; readonly stages: number }) {
  if (!of.improves) return search.firstVerified();
  return of.stages > MOST_USUAL_STAGES
    ? search.firstVerified(ROUNDS, EXCESS_GROWTH)
    : search.firstVerified(FIRST_ROUNDS);
}

export function verifiedSearch(prepared: PreparedProblem, judge: Judge, improve?: Improve): SearchOutcome {
  const search = new LevelSearch(prepared, judge);
  const first = firstVerified(search, { improves: improve !== undefined, stages: prepared.spec.stages.length });
  const held = improve === undefined ? first && search.improve(first) : search.improvedBy(improve(first), first);
  if (held !== undefined) return { kind: 'found', found: search.toFoundChoice(held), labels: search.labels };
  const last = search.fastestAttempt();
  if (last?.verified) {
    const best = (improve && search.improvedBy(improve(last), last)) ?? last;
    return { kind: 'found', found: search.toFoundChoice(best), labels: search.labels };
  }
  return { kind: 'none', fastest: last, labels: search.labels };
}

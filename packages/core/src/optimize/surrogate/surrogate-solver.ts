/**
 * Solves the surrogate of a prepared under changing factors. Where the best choice contains options whose times are only known to be no
 * shorter, those are simulated and the problem is solved again, until the best choice has exact times: every other choice was at most
 * underestimated, so this is the optimum with exact times everywhere.
 */
import type { Objective } from '../../model/pipeline-spec.js';
import { exactTimes } from '../options/option-times.js';
import type { PreparedProblem } from '../options/prepared-problem.js';
import type { StageOption } from '../options/stage-option.js';
import {
  type LatencyFactors,
  type Solution,
  type SurrogateOption,
  type SurrogateProblem,
  surrogateProblem,
} from '../options/surrogate.js';
import { solve } from './solve.js';

/** What a solve may change of the prepared. */
export interface SolveOverrides {
  readonly objective?: Objective;
  readonly sloMs?: number;
}

/** More simulations than this are not made for one solve; the choice then stands on times that may be too short. */
const MOST_ROUNDS = 40;

/** A prepared whose option times get exact where it matters. */
export class SurrogateSolver {
  readonly prepared: PreparedProblem;
  readonly #options: (readonly StageOption[])[];

  constructor(prepared: PreparedProblem) {
    this.prepared = prepared;
    this.#options = [...prepared.options];
  }

  /** The surrogate with the times known so far. */
  problem(factors: LatencyFactors): SurrogateProblem {
    return surrogateProblem({ ...this.prepared, options: this.#options }, factors);
  }

  /** The best choice under `factors`. */
  solve(factors: LatencyFactors, overrides: SolveOverrides = {}): Solution {
    let labels = 0;
    for (let round = 1; ; round++) {
      const solution = solve({ ...this.problem(factors), ...overrides });
      labels += solution.labels;
      const { choice } = solution;
      const changed = choice !== undefined && round <= MOST_ROUNDS && this.makeExact([choice]);
      if (!changed) return { ...solution, labels };
    }
  }

  /** Simulates the options of `choices` whose times are not exact; false when there were none. */
  makeExact(choices: readonly (readonly SurrogateOption[])[]): boolean {
    const vague = new Map<StageOption, number>();
    for (const choice of choices)
      choice.forEach(({ option }, stage) => {
        if (!option.exact) vague.set(option, stage);
      });
    for (const [option, stage] of vague) this.#simulate(stage, option);
    return vague.size > 0;
  }

  #simulate(stage: number, vague: StageOption): void {
    const prepared = this.prepared.stages[stage];
    if (prepared === undefined) return;
    const exact = { ...vague, ...exactTimes(prepared, vague) };
    this.#options[stage] = (this.#options[stage] ?? []).map((option) => (option === vague ? exact : option));
  }
}

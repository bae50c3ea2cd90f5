/**
 * Solves the surrogate under changing factors. Inexact options of the best choice are simulated, and the problem is
 * solved again. The final choice is optimal, because inexact times are lower bounds.
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

export interface SolveOverrides {
  readonly objective?: Objective;
  readonly sloMs?: number;
}

/** Maximum simulation rounds per solve. If reached, times may be too short. */
const MOST_ROUNDS = 40;

export class SurrogateSolver {
  readonly prepared: PreparedProblem;
  readonly #options: (readonly StageOption[])[];

  constructor(prepared: PreparedProblem) {
    this.prepared = prepared;
    this.#options = [...prepared.options];
  }

  problem(factors: LatencyFactors): SurrogateProblem {
    return surrogateProblem({ ...this.prepared, options: this.#options }, factors);
  }

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

  /** Simulates the inexact options of `choices`. Returns false if there are none. */
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

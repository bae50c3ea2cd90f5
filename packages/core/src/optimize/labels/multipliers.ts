/**
 * Lagrangian bound of a label problem (Fisher 1981). Limits get prices; each node is then maximized on its own.
 * Polyak's subgradient steps improve the prices.
 */

import { choiceValue, goalValue, type LabelProblem } from './label-problem.js';
import { type Prices, Pricing } from './pricing.js';
import { accuracyLine, largest, type RelaxedScore, smallest } from './relaxed-score.js';

export interface Incumbent {
  readonly value: number;
  readonly choice: Int32Array;
}

/** Every value is ≤ `constant` + Σ max of `reduced[v]`. */
export interface Multipliers {
  readonly bound: number;
  readonly constant: number;
  /** Worth of one unit of score. */
  readonly scoreSlope: number;
  readonly reduced: readonly Float64Array[];
  readonly best: Float64Array;
  readonly prices: Prices;
  /** Price per unit of each amount, including the cost. */
  readonly unitPrices: Float64Array;
  /** Price per ms on the edge from p to v. */
  edgePrice(p: number, v: number): number;
}

export interface AscentResult {
  readonly multipliers: Multipliers;
  readonly incumbent: Incumbent | undefined;
  readonly infeasible: boolean;
}

export interface AscentStart {
  readonly iterations: number;
  readonly known?: number | undefined;
  readonly prices?: Prices | undefined;
}

const PATIENCE = 8;
const CLOSED = 1e-9;
/** Relative distance of the target below the bound while no choice is known. */
const BLIND_STEP = 0.1;

const scale = (value: number): number => Math.max(1, Math.abs(value));

/** Minimum value of all choices if limits are ignored. A bound below it proves infeasibility. */
function leastValue({ nodes, cost, goal }: LabelProblem): number {
  const lowest = nodes.reduce((sum, node) => sum + smallest(node.score), 0);
  const dearest =
    cost === undefined ? 0 : nodes.reduce((sum, node) => sum + cost.perUnit * largest(node.amounts[cost.amount]), 0);
  return goalValue(goal, lowest, dearest);
}

class Ascent {
  readonly #problem: LabelProblem;
  readonly #pricing: Pricing;
  readonly #scratch: Float64Array;
  readonly #picks: Int32Array;
  readonly #least: number;
  #known: number | undefined;
  #bestPrices: Prices;
  #stepScale = 1;
  #idleSteps = 0;
  bound = Number.POSITIVE_INFINITY;
  incumbent: Incumbent | undefined;

  constructor(problem: LabelProblem, relaxed: RelaxedScore, start: AscentStart) {
    this.#problem = problem;
    this.#pricing = new Pricing(problem, relaxed, accuracyLine(problem, relaxed, start.known));
    this.#known = start.known;
    if (start.prices !== undefined) this.#pricing.prices = start.prices;
    this.#bestPrices = this.#pricing.prices;
    this.#scratch = new Float64Array(problem.nodes.reduce((most, node) => Math.max(most, node.count), 0));
    this.#picks = new Int32Array(problem.nodes.length);
    this.#least = leastValue(problem);
  }

  get infeasible(): boolean {
    return this.bound < this.#least - CLOSED * scale(this.#least);
  }

  /** Returns false if no step can improve the bound. */
  advance(): boolean {
    const bound = this.#evaluate();
    if (this.infeasible) return false;
    const target = this.#known ?? this.bound - BLIND_STEP * Math.max(1e-3, this.bound - this.#least);
    if (this.bound - target <= CLOSED * scale(target)) return false;
    const excess = this.#pricing.excessOf(this.#picks);
    const square = this.#pricing.squareOf(excess);
    if (square === 0) return false;
    this.#pricing.move(excess, (this.#stepScale * Math.max(bound - target, 1e-12)) / square);
    return true;
  }

  multipliers(): Multipliers {
    this.#pricing.prices = this.#bestPrices;
    const reduced = this.#problem.nodes.map((node, v) => {
      const worth = new Float64Array(node.count);
      this.#pricing.worth(v, worth);
      return worth;
    });
    return {
      bound: this.bound,
      constant: this.#pricing.constant,
      scoreSlope: this.#pricing.scoreSlope,
      reduced,
      best: Float64Array.from(reduced, largest),
      prices: this.#bestPrices,
      unitPrices: this.#pricing.unitPrices,
      edgePrice: this.#pricing.edgePrices(),
    };
  }

  #evaluate(): number {
    let bound = this.#pricing.constant;
    for (let v = 0; v < this.#picks.length; v++) {
      const best = this.#pricing.worth(v, this.#scratch);
      this.#picks[v] = best;
      bound += this.#scratch[best] as number;
    }
    this.#remember(bound);
    const value = choiceValue(this.#problem, this.#picks);
    if (value !== undefined && !(value <= (this.#known ?? Number.NEGATIVE_INFINITY))) {
      this.#known = value;
      this.incumbent = { value, choice: this.#picks.slice() };
    }
    return bound;
  }

  #remember(bound: number): void {
    if (this.bound === Number.POSITIVE_INFINITY || bound < this.bound - CLOSED * scale(this.bound)) {
      this.bound = bound;
      this.#bestPrices = this.#pricing.prices;
      this.#idleSteps = 0;
    } else if (++this.#idleSteps >= PATIENCE) {
      this.#stepScale /= 2;
      this.#idleSteps = 0;
    }
  }
}

export function ascend(problem: LabelProblem, relaxed: RelaxedScore, start: AscentStart): AscentResult {
  const ascent = new Ascent(problem, relaxed, start);
  for (let i = 0; i < start.iterations; i++) if (!ascent.advance()) break;
  return {
    multipliers: ascent.multipliers(),
    incumbent: ascent.incumbent,
    infeasible: ascent.infeasible,
  };
}

/**
 * One pass of labels (partial choices) over the nodes. Drops labels below the bar, then dominated ones, then all but
 * the `width` labels of highest bound.
 */
import { Expansion } from './expand-labels.js';
import { goalValue, type LabelProblem, sourcesOf } from './label-problem.js';
import { type LabelStore, rootLabels } from './label-store.js';
import type { Incumbent } from './multipliers.js';
import { paretoFilter } from './pareto-filter.js';
import { type BoundedProblem, type StepTerms, stepTerms } from './step-terms.js';

const VALUE_TIE = 1e-12;

/** Bar that only better choices exceed. */
export const barAbove = (value: number | undefined): number =>
  value === undefined ? Number.NEGATIVE_INFINITY : value + VALUE_TIE * Math.max(1, Math.abs(value));

/** Bar that equally good choices exceed. */
export const barBelow = (value: number): number => value - 2 * VALUE_TIE * Math.max(1, Math.abs(value));

export interface PassInput extends BoundedProblem {
  readonly bar: number;
  readonly width: number;
}

export interface PassResult {
  readonly incumbent: Incumbent | undefined;
  /** Highest bound among labels dropped because of `width`; −Infinity if none. */
  readonly droppedBound: number;
  readonly labels: number;
}

/** Within a node, labels are thinned when their number exceeds this multiple of `width`. */
const CROWDING = 8;
const LEAST_CROWD = 4096;

export const crowdOf = (width: number, { labelLimit }: LabelProblem): number =>
  Math.max(LEAST_CROWD, Math.min(CROWDING * width, labelLimit));

class Sweep {
  readonly #input: PassInput;
  readonly #terms: readonly StepTerms[];
  readonly #cuts: LabelStore[] = [];
  #bar: number;
  incumbent: Incumbent | undefined;
  droppedBound = Number.NEGATIVE_INFINITY;
  labels = 0;

  constructor(input: PassInput) {
    this.#input = input;
    this.#terms = stepTerms(input);
    this.#bar = input.bar;
  }

  run(): void {
    const { multipliers, relaxed } = this.#input;
    let labels = rootLabels(this.#input);
    labels.collected[0] = multipliers.scoreSlope * relaxed.constant;
    for (const terms of this.#terms) {
      labels = this.#thin(terms, this.#expandAll(terms, labels));
      this.#cuts.push(labels);
      if (labels.count === 0) return;
    }
  }

  #expandAll(terms: StepTerms, from: LabelStore): LabelStore {
    const { problem, width } = this.#input;
    const expansion = new Expansion(terms, from, problem.latencyLimitMs < Number.POSITIVE_INFINITY);
    const { next } = expansion;
    const crowd = crowdOf(width, problem);
    const take = (label: number): void => {
      if (!terms.isLast) {
        next.count++;
        this.labels++;
        return;
      }
      this.#complete(next, label);
      expansion.bar = this.#bar;
    };
    expansion.bar = this.#bar;
    for (let a = 0; a < from.count; a++) {
      expansion.expand(a, take);
      if (next.count > crowd) next.copyFrom(this.#thin(terms, next));
    }
    return next;
  }

  #thin(terms: StepTerms, labels: LabelStore): LabelStore {
    const kept = labels.pick(paretoFilter(labels, () => labels.byWorth()));
    const { width } = this.#input;
    if (kept.count <= width) return kept;
    const order = kept.byWorth();
    const dropped = kept.collected[order[width] as number] as number;
    this.droppedBound = Math.max(this.droppedBound, dropped + terms.worthBehind);
    return kept.pick(order.subarray(0, width));
  }

  #complete(labels: LabelStore, label: number): void {
    const { goal, cost, amounts, accepts } = this.#input.problem;
    const at = label * labels.dims;
    const score = -(labels.coordinates[at + amounts.length] as number);
    if (goal.kind === 'cost' && score < goal.scoreFloor) return;
    const total = cost === undefined ? 0 : cost.perUnit * (labels.coordinates[at + cost.amount] as number);
    const value = goalValue(goal, score, total);
    if (value <= this.#bar) return;
    const choice = this.#choiceOf(labels, label);
    if (accepts !== undefined && !accepts(sourcesOf(this.#input.problem, choice))) return;
    this.incumbent = { value, choice };
    this.#bar = barAbove(value);
  }

  #choiceOf(labels: LabelStore, label: number): Int32Array {
    const choice = new Int32Array(this.#terms.length);
    let cut = labels;
    let at = label;
    for (let v = choice.length - 1; v >= 0; v--) {
      choice[v] = cut.option[at] as number;
      at = cut.parent[at] as number;
      cut = this.#cuts[v - 1] as LabelStore;
    }
    return choice;
  }
}

export function labelPass(input: PassInput): PassResult {
  const sweep = new Sweep(input);
  sweep.run();
  return {
    incumbent: sweep.incumbent,
    droppedBound: sweep.droppedBound,
    labels: sweep.labels,
  };
}

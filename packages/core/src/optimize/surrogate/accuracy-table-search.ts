import { NO_FLOOR } from '../labels/label-problem.js';
import type { Solution, SurrogateOption, SurrogateProblem } from '../options/surrogate.js';
import { type AccuracyModel, LOG_PAS_TIE, logPas, type MeasuredVariants } from '../problem/accuracy-model.js';
import { searchAdditive } from './additive-search.js';
import { costOf, isBetter, objectiveValue, pasOf } from './objective-value.js';
import { solveGoal } from './solve-goal.js';

/**
 * Cuts the combinations of variants into boxes on which the accuracy has one form: a measured number, or the product. Measurements are taken
 * in their order; each splits the boxes that it meets into the part that it covers and, stage by stage, the parts that it does not.
 */

/** Variants allowed per stage; `measured` is the accuracy (fraction) of all their combinations, undefined where the product counts. */
export interface VariantBox {
  readonly variants: readonly (readonly number[])[];
  readonly measured: number | undefined;
}

interface OpenBox {
  readonly variants: readonly (readonly number[])[];
  /** Measurements that may meet the box, in their order. */
  readonly entries: readonly MeasuredVariants[];
}

const meetsEntry = (variants: OpenBox['variants'], entry: MeasuredVariants): boolean =>
  entry.variants.every((wanted, s) => wanted === undefined || (variants[s] ?? []).includes(wanted));

/** The parts of a box outside of `entry`: those that differ first in stage 0, in stage 1, … */
function boxesOutside(variants: OpenBox['variants'], entry: MeasuredVariants): readonly OpenBox['variants'][] {
  return variants.flatMap((allowed, s) => {
    const wanted = entry.variants[s];
    const others = allowed.filter((v) => v !== wanted);
    if (wanted === undefined || others.length === 0) return [];
    return [variants.map((list, t) => (t === s ? others : t < s ? variantsInside(list, entry.variants[t]) : list))];
  });
}

const variantsInside = (allowed: readonly number[], wanted: number | undefined): readonly number[] =>
  wanted === undefined ? allowed : [wanted];

/** All boxes over the given variants per stage. */
function variantBoxes(variants: readonly (readonly number[])[], accuracy: AccuracyModel): readonly VariantBox[] {
  const boxes: VariantBox[] = [];
  const open: OpenBox[] = [{ variants, entries: accuracy.measured }];
  for (let box = open.pop(); box !== undefined; box = open.pop()) {
    const current = box.variants;
    const entries = box.entries.filter((entry) => meetsEntry(current, entry));
    const [first, ...later] = entries;
    if (first === undefined) {
      if (accuracy.productCounts) boxes.push({ variants: current, measured: undefined });
      continue;
    }
    boxes.push({
      variants: current.map((list, s) => variantsInside(list, first.variants[s])),
      measured: first.accuracy,
    });
    for (const part of boxesOutside(current, first)) open.push({ variants: part, entries: later });
  }
  return boxes;
}

/**
 * Exact search where accuracies of whole combinations were measured: value dominance is not valid there, so the combinations are cut into
 * boxes of one accuracy each (see variant-boxes). Boxes are visited from the highest accuracy they can have down; within a measured box label
 * setting finds the least cost, in an unmeasured one the best product. `max-accuracy` ends at the first accuracy below the best found,
 * `min-cost` at the floor, `weights` where no accuracy left could pay for the least cost there is.
 */

interface BoundedBox extends VariantBox {
  /** No combination of the box has a higher log PAS. */
  readonly bound: number;
}

const SOLVER = 'accuracy-table-search';

/** Highest log PAS of the product over a box. */
function productBound({ accuracy }: SurrogateProblem, variants: VariantBox['variants']): number {
  const best = variants.map((allowed, s) =>
    allowed.reduce((most, v) => Math.max(most, accuracy.stageAccuracy(s, v)), 0),
  );
  const mean = accuracy.scenarios.reduce((sum, { probability, visited }) => {
    return sum + probability * best.reduce((product, value, s) => (visited[s] ? product * value : product), 1);
  }, 0);
  return logPas(mean);
}

function boundedBoxes(problem: SurrogateProblem): readonly BoundedBox[] {
  const variants = problem.stages.map((options) => [...new Set(options.map(({ option }) => option.variantIndex))]);
  if (variants.some((list) => list.length === 0)) return [];
  return variantBoxes(variants, problem.accuracy)
    .map((box) => ({
      ...box,
      bound: box.measured === undefined ? productBound(problem, box.variants) : logPas(box.measured),
    }))
    .sort((a, b) => b.bound - a.bound);
}

class TableSearch {
  readonly #problem: SurrogateProblem;
  #best: readonly SurrogateOption[] | undefined;
  #value = Number.NaN;
  labels = 0;
  /** Highest log PAS of what was not settled; none while everything visited was. */
  #openBound = Number.NEGATIVE_INFINITY;

  constructor(problem: SurrogateProblem) {
    this.#problem = problem;
  }

  run(): Solution {
    const boxes = boundedBoxes(this.#problem);
    for (const box of boxes) {
      if (this.#isHopeless(box.bound)) break;
      if (this.labels > this.#problem.labelLimit) {
        this.#leaveOpen(box);
        break;
      }
      this.#visit(box);
    }
    return this.#solution();
  }

  #leaveOpen({ bound }: BoundedBox): void {
    this.#openBound = Math.max(this.#openBound, bound);
  }

  /** Whether no box of at most this log PAS can be better. */
  #isHopeless(bound: number): boolean {
    const { objective } = this.#problem;
    if (objective.kind === 'min-cost') return Math.exp(bound) < objective.accuracyFloor * (1 - LOG_PAS_TIE);
    if (this.#best === undefined) return false;
    if (objective.kind === 'max-accuracy') return bound < logPas(this.#value) - LOG_PAS_TIE;
    return objective.accuracy * Math.exp(bound) - this.#leastPrice() <= this.#value;
  }

  /** What any choice costs at least; by its weights where batches are charged, too. */
  #leastPrice(): number {
    return this.#problem.stages.reduce(
      (sum, options) => sum + options.reduce((least, o) => Math.min(least, this.#price(o)), Number.POSITIVE_INFINITY),
      0,
    );
  }

  #price(o: SurrogateOption): number {
    const { objective } = this.#problem;
    if (objective.kind !== 'weights') return o.costPerHour;
    return objective.cost * o.costPerHour + objective.batch * o.option.maxBatchSize;
  }

  #visit(box: BoundedBox): void {
    const stages = this.#problem.stages.map((options, s) =>
      options.filter(({ option }) => box.variants[s]?.includes(option.variantIndex)),
    );
    const within = { ...this.#problem, stages };
    if (box.measured === undefined) {
      const solution = searchAdditive(within);
      this.labels += solution.labels;
      if (!solution.optimal) this.#leaveOpen(box);
      this.#offer(solution.choice);
      return;
    }
    const costOfOption = (o: SurrogateOption): number => this.#price(o);
    const solved = solveGoal(within, { goal: { kind: 'cost', scoreFloor: NO_FLOOR }, costOf: costOfOption });
    this.labels += solved.solution.labels;
    if (!solved.solution.optimal) this.#leaveOpen(box);
    this.#offer(solved.choice);
  }

  #offer(choice: readonly SurrogateOption[] | undefined): void {
    if (choice === undefined) return;
    const { objective, accuracy } = this.#problem;
    const value = objectiveValue(objective, accuracy, choice);
    const best = this.#best;
    const equal =
      best !== undefined && !isBetter(objective, value, this.#value) && !isBetter(objective, this.#value, value);
    if (best === undefined || isBetter(objective, value, this.#value) || (equal && this.#isPreferred(choice, best))) {
      this.#best = choice;
      this.#value = value;
    }
  }

  /** Of equals: the cheaper for `max-accuracy`, the more accurate for `min-cost`. */
  #isPreferred(a: readonly SurrogateOption[], b: readonly SurrogateOption[]): boolean {
    const { objective, accuracy } = this.#problem;
    if (objective.kind === 'max-accuracy') return costOf(a) < costOf(b);
    return objective.kind === 'min-cost' && pasOf(accuracy, a) > pasOf(accuracy, b);
  }

  #solution(): Solution {
    const { labels } = this;
    const optimal = this.#openBound === Number.NEGATIVE_INFINITY;
    const solver = SOLVER;
    if (this.#best === undefined) return { optimal, gapFraction: optimal ? 0 : 1, solver, labels };
    return { choice: this.#best, optimal, gapFraction: optimal ? 0 : this.#gap(), solver, labels };
  }

  /** Gap to what the open boxes could hold at best: their highest accuracy, at the least price of any choice. */
  #gap(): number {
    const bound = this.#openValue();
    const distance = Math.abs(bound - this.#value) / Math.max(1e-12, Math.abs(bound), Math.abs(this.#value));
    return isBetter(this.#problem.objective, bound, this.#value) ? distance : 0;
  }

  #openValue(): number {
    const { objective } = this.#problem;
    switch (objective.kind) {
      case 'max-accuracy':
        return Math.exp(this.#openBound);
      case 'min-cost':
        return this.#leastPrice();
      case 'weights':
        return objective.accuracy * Math.exp(this.#openBound) - this.#leastPrice();
    }
  }
}

/** Solves `problem`; what the label limit leaves unproven is in the gap. */
export const searchAccuracyTable = (problem: SurrogateProblem): Solution => new TableSearch(problem).run();

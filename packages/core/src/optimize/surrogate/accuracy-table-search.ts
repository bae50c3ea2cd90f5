import { NO_FLOOR } from '../labels/label-problem.js';
import type { Solution, SurrogateOption, SurrogateProblem } from '../options/surrogate.js';
import { type AccuracyModel, LOG_PAS_TIE, logPas, type MeasuredVariants } from '../problem/accuracy-model.js';
import { searchAdditive } from './additive-search.js';
import { costOf, isBetter, objectiveValue, pasOf } from './objective-value.js';
import { solveGoal } from './solve-goal.js';

/**
 * Splits the variant combinations into boxes. A box has one accuracy: a measured value, or the product. Each
 * measurement splits a box into the part that it covers and, stage by stage, the rest.
 */

/** `measured`: accuracy (fraction) of all combinations in the box; undefined if the product counts. */
export interface VariantBox {
  readonly variants: readonly (readonly number[])[];
  readonly measured: number | undefined;
}

interface OpenBox {
  readonly variants: readonly (readonly number[])[];
  readonly entries: readonly MeasuredVariants[];
}

const meetsEntry = (variants: OpenBox['variants'], entry: MeasuredVariants): boolean =>
  entry.variants.every((wanted, s) => wanted === undefined || (variants[s] ?? []).includes(wanted));

/** Parts of a box outside `entry`. Part k first differs from `entry` at stage k. */
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
 * Exact search with measured accuracies. Dominance by value is invalid across boxes, so label setting solves each box:
 * minimum cost of a measured box, best product of an unmeasured one. The box of the best optimistic value comes first.
 * A box must beat or equal the best choice so far, which limits its price.
 */

/** `bound`: highest log accuracy. `leastPrice`: sum of the cheapest options. */
interface BoundedBox extends VariantBox {
  readonly bound: number;
  readonly leastPrice: number;
}

const SOLVER = 'accuracy-table-search';

function productBound({ accuracy }: SurrogateProblem, variants: VariantBox['variants']): number {
  const best = variants.map((allowed, s) =>
    allowed.reduce((most, v) => Math.max(most, accuracy.stageAccuracy(s, v)), 0),
  );
  const mean = accuracy.scenarios.reduce((sum, { probability, visited }) => {
    return sum + probability * best.reduce((product, value, s) => (visited[s] ? product * value : product), 1);
  }, 0);
  return logPas(mean);
}

/** Equal costs differ by less, after rounding. */
const PRICE_TIE = 1e-12;

const withTie = (price: number): number => price + PRICE_TIE * Math.max(1, Math.abs(price));

class TableSearch {
  readonly #problem: SurrogateProblem;
  /** Lowest price by stage and variant. */
  readonly #leastPrices: readonly ReadonlyMap<number, number>[];
  #best: readonly SurrogateOption[] | undefined;
  #value: number | undefined;
  labels = 0;
  #openBound = Number.NEGATIVE_INFINITY;

  constructor(problem: SurrogateProblem) {
    this.#problem = problem;
    this.#value = problem.knownValue;
    this.#leastPrices = problem.stages.map((options) => {
      const least = new Map<number, number>();
      for (const o of options) {
        const { variantIndex } = o.option;
        least.set(variantIndex, Math.min(least.get(variantIndex) ?? Number.POSITIVE_INFINITY, this.#price(o)));
      }
      return least;
    });
  }

  run(): Solution {
    for (const box of this.#boxes()) {
      if (this.#isHopeless(box)) continue;
      if (this.labels > this.#problem.labelLimit) this.#leaveOpen(box);
      else this.#visit(box);
    }
    return this.#solution();
  }

  #boxes(): readonly BoundedBox[] {
    const { accuracy, objective } = this.#problem;
    const variants = this.#leastPrices.map((of) => [...of.keys()]);
    if (variants.some((list) => list.length === 0)) return [];
    const optimistic = ({ bound, leastPrice }: BoundedBox): number => {
      if (objective.kind === 'min-cost') return -leastPrice;
      return objective.kind === 'weights' ? objective.accuracy * Math.exp(bound) - leastPrice : bound;
    };
    return variantBoxes(variants, accuracy)
      .map((box) => ({
        ...box,
        bound: box.measured === undefined ? productBound(this.#problem, box.variants) : logPas(box.measured),
        leastPrice: this.#leastPriceOf(box),
      }))
      .sort((a, b) => optimistic(b) - optimistic(a));
  }

  #leaveOpen({ bound }: BoundedBox): void {
    this.#openBound = Math.max(this.#openBound, bound);
  }

  #isHopeless(box: BoundedBox): boolean {
    const { objective } = this.#problem;
    if (objective.kind === 'min-cost' && Math.exp(box.bound) < objective.accuracyFloor * (1 - LOG_PAS_TIE)) return true;
    return box.leastPrice > this.#priceLimit(box);
  }

  #leastPrice(): number {
    return this.#leastPrices.reduce((sum, of) => sum + Math.min(...of.values()), 0);
  }

  #leastPriceOf({ variants }: VariantBox): number {
    return this.#leastPrices.reduce(
      (sum, of, s) => sum + Math.min(...(variants[s] ?? []).map((v) => of.get(v) ?? Number.POSITIVE_INFINITY)),
      0,
    );
  }

  /** Highest price at which a choice of the box can be at least as good as the best one so far. */
  #priceLimit({ bound }: BoundedBox): number {
    const value = this.#value;
    if (value === undefined) return Number.POSITIVE_INFINITY;
    const { objective } = this.#problem;
    if (objective.kind === 'min-cost') return withTie(value);
    if (objective.kind === 'weights') return withTie(objective.accuracy * Math.exp(bound) - value);
    const advantage = bound - logPas(value);
    if (advantage < -LOG_PAS_TIE) return Number.NEGATIVE_INFINITY;
    if (advantage > LOG_PAS_TIE || this.#best === undefined) return Number.POSITIVE_INFINITY;
    return withTie(costOf(this.#best));
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
    const solved = solveGoal(within, {
      goal: { kind: 'cost', scoreFloor: NO_FLOOR },
      costOf: costOfOption,
      costLimit: this.#priceLimit(box),
    });
    this.labels += solved.solution.labels;
    if (!solved.solution.optimal) this.#leaveOpen(box);
    this.#offer(solved.choice);
  }

  #offer(choice: readonly SurrogateOption[] | undefined): void {
    if (choice === undefined) return;
    const { objective, accuracy } = this.#problem;
    const value = objectiveValue(objective, accuracy, choice);
    const best = this.#best;
    const before = this.#value;
    const isEqual = before !== undefined && !isBetter(objective, value, before) && !isBetter(objective, before, value);
    const isImprovement = before === undefined || isBetter(objective, value, before);
    if (isImprovement || (isEqual && (best === undefined || this.#isPreferred(choice, best)))) {
      this.#best = choice;
      this.#value = value;
    }
  }

  #isPreferred(a: readonly SurrogateOption[], b: readonly SurrogateOption[]): boolean {
    const { objective, accuracy } = this.#problem;
    if (objective.kind === 'max-accuracy') return costOf(a) < costOf(b);
    return objective.kind === 'min-cost' && pasOf(accuracy, a) > pasOf(accuracy, b);
  }

  #solution(): Solution {
    const { labels } = this;
    const optimal = this.#openBound === Number.NEGATIVE_INFINITY;
    const solver = SOLVER;
    if (this.#best === undefined || this.#value === undefined)
      return { optimal, gapFraction: optimal ? 0 : 1, solver, labels };
    return { choice: this.#best, optimal, gapFraction: optimal ? 0 : this.#gap(this.#value), solver, labels };
  }

  /** Gap to a hypothetical choice: highest accuracy of the open boxes at the minimum price. */
  #gap(value: number): number {
    const bound = this.#openValue();
    const distance = Math.abs(bound - value) / Math.max(1e-12, Math.abs(bound), Math.abs(value));
    return isBetter(this.#problem.objective, bound, value) ? distance : 0;
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

/** A gap remains if the label limit applied. */
export const searchAccuracyTable = (problem: SurrogateProblem): Solution => new TableSearch(problem).run();

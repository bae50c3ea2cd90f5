/**
 * Exact search with measured accuracies, in one problem or in the cases of one, of which any may have the best choice.
 * Dominance by value is invalid across boxes (`variant-boxes`), so label setting solves each box: minimum cost of a
 * measured box, best product of an unmeasured one. The part of the best optimistic value comes first: a family of
 * cases, a case, then its boxes. A part that cannot hold a better choice than the best one is left out. This limits the
 * price of a box, too.
 */
import { NO_FLOOR } from '../labels/label-problem.js';
import type { Solution, SurrogateOption, SurrogateProblem } from '../options/surrogate.js';
import { type AccuracyModel, LOG_PAS_TIE, logPas, type MeasuredVariants } from '../problem/accuracy-model.js';
import { searchAdditive } from './additive-search.js';
import {
  type Amounts,
  amountsOfVariant,
  amountsOfVariants,
  type LeastAmounts,
  leastAmounts,
  leastPriceOf,
} from './least-amounts.js';
import { costOf, isBetter, objectiveValue, pasOf } from './objective-value.js';
import { solveGoal } from './solve-goal.js';
import { undominatedOptions } from './undominated-options.js';
import { type VariantBox, variantBoxes } from './variant-boxes.js';

/** A case of a problem. `problem` is called when the best choice may be one of its. */
export interface OpenCase {
  /** Position among all cases. */
  readonly caseIndex: number;
  /** Combinations with a known accuracy; undefined if products count. */
  measured(): readonly MeasuredVariants[] | undefined;
  problem(): SurrogateProblem;
}

/** Cases with the same stages. `mostAccuracy`: no choice of them is more accurate. */
export interface CaseFamily {
  readonly mostAccuracy: number;
  readonly cases: readonly OpenCase[];
  /** Options by stage, of which the smallest ones take no more than those of any case. */
  leastOptions(): SurrogateProblem['stages'];
}

export interface CaseSolution extends Solution {
  /** Position of the case of the choice; -1 without one. */
  readonly caseIndex: number;
  /** Value of the choice. */
  readonly value: number | undefined;
}

interface SearchRules extends Pick<SurrogateProblem, 'objective' | 'limits' | 'labelLimit' | 'knownValue'> {
  /** Equal values count as equally good: the search only has to find the best value. */
  readonly onlyValue?: boolean;
}

/** `bound`: highest log accuracy. `leastPrice`: no choice has a lower price. */
interface Bounds {
  readonly bound: number;
  readonly leastPrice: number;
}

/** Part of the search. `divide` solves it, or returns smaller parts with all its choices that may count. */
interface OpenPart extends Bounds {
  divide(): readonly OpenPart[];
}

interface CaseProblem {
  readonly problem: SurrogateProblem;
  readonly caseIndex: number;
}

interface BestChoice {
  readonly choice: readonly SurrogateOption[];
  readonly caseIndex: number;
  readonly value: number;
  readonly cost: number;
  readonly pas: number;
}

const SOLVER = 'accuracy-table-search';
const NO_CHOICE: Bounds = { bound: Number.NEGATIVE_INFINITY, leastPrice: Number.POSITIVE_INFINITY };

function productBound(accuracy: AccuracyModel, variants: VariantBox['variants']): number {
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
  readonly #rules: SearchRules;
  readonly #leastAmounts = new Map<readonly SurrogateOption[], LeastAmounts>();
  #best: BestChoice | undefined;
  #value: number | undefined;
  #labels = 0;
  /** Of the parts that the label limit left open. */
  #openBounds = NO_CHOICE;

  constructor(rules: SearchRules) {
    this.#rules = rules;
    this.#value = rules.knownValue;
  }

  run(parts: readonly OpenPart[]): CaseSolution {
    const byPromise = (a: Bounds, b: Bounds): number => this.#promiseOf(b) - this.#promiseOf(a) || b.bound - a.bound;
    const open = [...parts].sort(byPromise);
    for (let part = open.shift(); part !== undefined; part = open.shift()) {
      if (this.#isHopeless(part)) continue;
      if (this.#labels > this.#rules.labelLimit) this.#leaveOpen(part);
      else {
        const smaller = part.divide();
        if (smaller.length === 0) continue;
        open.unshift(...smaller);
        open.sort(byPromise);
      }
    }
    return this.#solution();
  }

  familyParts(families: readonly CaseFamily[]): readonly OpenPart[] {
    return families.map(({ mostAccuracy, cases, leastOptions }) => ({
      bound: logPas(mostAccuracy),
      leastPrice: 0,
      divide: () => {
        const least = leastOptions().map((options) => this.#leastOf(options));
        return cases.map((each) => ({
          ...this.#boundsOf(each.measured(), least),
          divide: () => this.#preparedPart({ problem: each.problem(), caseIndex: each.caseIndex }),
        }));
      },
    }));
  }

  /** The same part with the options of the case itself. */
  #preparedPart(of: CaseProblem): readonly OpenPart[] {
    const { stages, accuracy } = of.problem;
    const least = stages.map((options) => this.#leastOf(options));
    const bounds = this.#boundsOf(accuracy.productCounts ? undefined : accuracy.measured, least);
    return [{ ...bounds, divide: () => this.boxParts({ ...of, problem: undominatedOptions(of.problem) }) }];
  }

  #boundsOf(measured: readonly MeasuredVariants[] | undefined, least: readonly LeastAmounts[]): Bounds {
    const { limits } = this.#rules;
    if (measured === undefined) return { bound: 0, leastPrice: leastPriceOf(least, ({ ofAny }) => ofAny, limits) };
    return measured.reduce((all, { variants, accuracy }) => {
      const bound = logPas(accuracy);
      if (!this.#reachesFloor(bound)) return all;
      const price = leastPriceOf(least, (each, s) => amountsOfVariant(each, variants[s]), limits);
      return price === Number.POSITIVE_INFINITY ? all : looserOf(all, { bound, leastPrice: price });
    }, NO_CHOICE);
  }

  /** The problem has no dominated options. */
  boxParts({ problem, caseIndex }: CaseProblem): readonly OpenPart[] {
    const least = problem.stages.map((options) => this.#leastOf(options));
    const variants = least.map(({ byVariant }) => [...byVariant.keys()]);
    if (variants.some((list) => list.length === 0)) return [];
    return variantBoxes(variants, problem.accuracy).map((box) => {
      const amountsOf = (each: LeastAmounts, s: number): Amounts => amountsOfVariants(each, box.variants[s] ?? []);
      const bounds: Bounds = {
        bound: box.measured === undefined ? productBound(problem.accuracy, box.variants) : logPas(box.measured),
        leastPrice: leastPriceOf(least, amountsOf, problem.limits),
      };
      const divide = (): readonly OpenPart[] => {
        this.#solveBox({ problem, caseIndex }, box, bounds);
        return [];
      };
      return { ...bounds, divide };
    });
  }

  #leastOf(options: readonly SurrogateOption[]): LeastAmounts {
    const known = this.#leastAmounts.get(options);
    if (known !== undefined) return known;
    const least = leastAmounts(options, (o) => this.#price(o));
    this.#leastAmounts.set(options, least);
    return least;
  }

  /** Optimistic value; larger is better. */
  #promiseOf({ bound, leastPrice }: Bounds): number {
    const { objective } = this.#rules;
    if (objective.kind === 'min-cost') return -leastPrice;
    return objective.kind === 'weights' ? objective.accuracy * Math.exp(bound) - leastPrice : bound;
  }

  #leaveOpen(part: Bounds): void {
    this.#openBounds = looserOf(this.#openBounds, part);
  }

  #isHopeless(part: Bounds): boolean {
    if (part.leastPrice === Number.POSITIVE_INFINITY || !this.#reachesFloor(part.bound)) return true;
    if (this.#best !== undefined && !this.#canBeBetter(part, this.#best)) return true;
    return part.leastPrice > this.#priceLimit(part);
  }

  /** Of equal costs, only a higher accuracy is better for `min-cost`. */
  #canBeBetter(part: Bounds, { value, pas }: BestChoice): boolean {
    const { objective, onlyValue = false } = this.#rules;
    if (isBetter(objective, this.#optimisticValue(part), value)) return true;
    return !onlyValue && (objective.kind !== 'min-cost' || part.bound > logPas(pas));
  }

  #reachesFloor(bound: number): boolean {
    const { objective } = this.#rules;
    return objective.kind !== 'min-cost' || Math.exp(bound) >= objective.accuracyFloor * (1 - LOG_PAS_TIE);
  }

  /** Highest price at which a choice of the part can be at least as good as the best one so far. */
  #priceLimit({ bound }: Bounds): number {
    const value = this.#value;
    if (value === undefined) return Number.POSITIVE_INFINITY;
    const { objective } = this.#rules;
    if (objective.kind === 'min-cost') return withTie(value);
    if (objective.kind === 'weights') return withTie(objective.accuracy * Math.exp(bound) - value);
    const advantage = bound - logPas(value);
    if (advantage < -LOG_PAS_TIE) return Number.NEGATIVE_INFINITY;
    if (advantage > LOG_PAS_TIE || this.#best === undefined) return Number.POSITIVE_INFINITY;
    return withTie(this.#best.cost);
  }

  #price(o: SurrogateOption): number {
    const { objective } = this.#rules;
    if (objective.kind !== 'weights') return o.costPerHour;
    return objective.cost * o.costPerHour + objective.batch * o.option.maxBatchSize;
  }

  #solveBox({ problem, caseIndex }: CaseProblem, box: VariantBox, bounds: Bounds): void {
    const stages = problem.stages.map((options, s) =>
      options.filter(({ option }) => box.variants[s]?.includes(option.variantIndex)),
    );
    const within = { ...problem, stages };
    if (box.measured === undefined) {
      const { choice, optimal, labels } = searchAdditive(within);
      this.#labels += labels;
      if (!optimal) this.#leaveOpen(bounds);
      if (choice !== undefined) this.#offer({ problem, caseIndex }, choice, pasOf(problem.accuracy, choice));
      return;
    }
    const { choice, solution } = solveGoal(within, {
      goal: { kind: 'cost', scoreFloor: NO_FLOOR },
      costOf: (o) => this.#price(o),
      costLimit: this.#priceLimit(bounds),
    });
    this.#labels += solution.labels;
    if (!solution.optimal) this.#leaveOpen(bounds);
    if (choice !== undefined) this.#offer({ problem, caseIndex }, choice, box.measured);
  }

  #offer({ problem, caseIndex }: CaseProblem, choice: readonly SurrogateOption[], pas: number): void {
    const { objective, accuracy } = problem;
    const offered = {
      choice,
      caseIndex,
      pas,
      cost: costOf(choice),
      value: objectiveValue(objective, accuracy, choice),
    };
    const before = this.#value;
    if (before !== undefined && isBetter(objective, before, offered.value)) return;
    const isImprovement = before === undefined || isBetter(objective, offered.value, before);
    if (isImprovement || this.#best === undefined || this.#isPreferred(offered, this.#best)) {
      this.#best = offered;
      this.#value = offered.value;
    }
  }

  /** Of choices with equal values: the cheaper one; for `min-cost` the more accurate one. */
  #isPreferred(a: BestChoice, b: BestChoice): boolean {
    const { objective } = this.#rules;
    if (objective.kind === 'max-accuracy') return a.cost < b.cost;
    return objective.kind === 'min-cost' && a.pas > b.pas;
  }

  #solution(): CaseSolution {
    const optimal = this.#openBounds.bound === Number.NEGATIVE_INFINITY;
    const proof = { optimal, solver: SOLVER, labels: this.#labels };
    if (this.#best === undefined) return { ...proof, gapFraction: optimal ? 0 : 1, caseIndex: -1, value: undefined };
    const { choice, caseIndex, value } = this.#best;
    return { ...proof, choice, caseIndex, value, gapFraction: optimal ? 0 : this.#gap(value) };
  }

  /** Gap to a hypothetical choice: highest accuracy of the open parts at their lowest price. */
  #gap(value: number): number {
    const bound = this.#optimisticValue(this.#openBounds);
    const distance = Math.abs(bound - value) / Math.max(1e-12, Math.abs(bound), Math.abs(value));
    return isBetter(this.#rules.objective, bound, value) ? distance : 0;
  }

  #optimisticValue({ bound, leastPrice }: Bounds): number {
    const { objective } = this.#rules;
    switch (objective.kind) {
      case 'max-accuracy':
        return Math.exp(bound);
      case 'min-cost':
        return leastPrice;
      case 'weights':
        return objective.accuracy * Math.exp(bound) - leastPrice;
    }
  }
}

const looserOf = (a: Bounds, b: Bounds): Bounds => ({
  bound: Math.max(a.bound, b.bound),
  leastPrice: Math.min(a.leastPrice, b.leastPrice),
});

/** `problem` has no dominated options. A gap remains if the label limit applied. */
export function searchAccuracyTable(problem: SurrogateProblem): Solution {
  const search = new TableSearch(problem);
  return search.run(search.boxParts({ problem, caseIndex: 0 }));
}

/** Best choice of all cases. Prepares only those that may have it. */
export function searchCases(families: readonly CaseFamily[], rules: SearchRules): CaseSolution {
  const search = new TableSearch(rules);
  return search.run(search.familyParts(families));
}

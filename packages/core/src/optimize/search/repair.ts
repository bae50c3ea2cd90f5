import type { PreparedProblem } from '../options/prepared-problem.js';
import {
  choiceKey,
  optionLatencyMs,
  type SurrogateChoice,
  type SurrogateOption,
  type SurrogateProblem,
} from '../options/surrogate.js';
import { fitsLimits } from '../surrogate/node-packing.js';
import { costOf } from '../surrogate/objective-value.js';

/**
 * Repairs surrogate choices by the estimate of the whole graph. After a miss, stages get faster options one by one.
 * After a verified choice, they get cheaper options. As a last resort, neighbours of failed choices are ranked. The
 * number of estimates is limited.
 */

export interface RepairLimits {
  readonly anyVariant: boolean;
  readonly worthwhile: (choice: SurrogateChoice) => boolean;
}

/** Maximum estimates. One takes about 1 ms, or much longer if it simulates CPU shares. */
const MOST_ESTIMATED = 180;

const MOST_ESTIMATED_WITH_SHARES = 24;

const REPAIR_PART = 1 / 3;

/** Maximum number of options tried per stage, fastest first. */
const MOST_TRIED = 8;

const COST_ROUNDING = 1e-9;

const ALONE = { theta: 0.7, kappa: 1 };

/** Choices whose estimate exceeds this multiple of the SLO are not simulated. */
const HOPELESS = 1.5;

const withOption = (choice: SurrogateChoice, stage: number, by: SurrogateOption): SurrogateChoice =>
  choice.map((option, s) => (s === stage ? by : option));

export const simulatesShares = (choice: SurrogateChoice): boolean =>
  choice.some((o) => o.option.curve.shareFraction < 1);

interface Changes {
  readonly problem: SurrogateProblem;
  readonly anyVariant: boolean;
  readonly admits: (choice: SurrogateChoice) => boolean;
}

interface Estimated {
  readonly choice: SurrogateChoice;
  readonly ms: number;
}

export class ChoiceRepair {
  readonly #prepared: PreparedProblem;
  readonly #estimate: (choice: SurrogateChoice) => number;
  readonly #missed = new Map<string, SurrogateChoice>();
  readonly #estimated = new Map<string, Estimated>();
  readonly #sorted = new WeakMap<readonly SurrogateOption[], readonly SurrogateOption[]>();
  readonly #mostEstimated: number;
  #estimates = 0;

  constructor(prepared: PreparedProblem, estimateMs: (choice: SurrogateChoice) => number) {
    this.#prepared = prepared;
    this.#estimate = estimateMs;
    const shares = prepared.options.some((options) => options.some((o) => o.curve.shareFraction < 1));
    this.#mostEstimated = shares ? MOST_ESTIMATED_WITH_SHARES : MOST_ESTIMATED;
  }

  recordMiss(choice: SurrogateChoice): void {
    this.#missed.set(choiceKey(choice), choice);
  }

  /** Fastest choice found by changing stages one by one. */
  repair(choice: SurrogateChoice, problem: SurrogateProblem, limits: RepairLimits): SurrogateChoice {
    const end = this.#estimates + this.#mostEstimated * REPAIR_PART;
    const changes = { problem, anyVariant: limits.anyVariant, admits: limits.worthwhile };
    let best: Estimated = { choice, ms: this.#estimateMs(choice) };
    for (;;) {
      const before = best;
      for (let s = 0; s < choice.length; s++)
        for (const candidate of this.#choicesChangedAt(s, best.choice, changes))
          if (this.#estimates < end) best = this.#fasterOf(candidate, best);
      if (best === before) return best.choice;
    }
  }

  /** Cheaper choices of the same variants that are fast enough by the estimate, cheapest first. */
  trims(choice: SurrogateChoice, problem: SurrogateProblem): readonly SurrogateChoice[] {
    const end = this.#estimates + this.#mostEstimated * REPAIR_PART;
    const path: SurrogateChoice[] = [];
    for (let now: SurrogateChoice | undefined = choice; now !== undefined; ) {
      if (now !== choice) path.unshift(now);
      now = this.#savings(now, problem).find(
        (saving) => this.#estimates < end && !this.#missed.has(choiceKey(saving)) && this.#isFast(saving),
      );
    }
    return path;
  }

  #isFast(choice: SurrogateChoice): boolean {
    return this.#estimateMs(choice) <= this.#prepared.sloMs;
  }

  /** Choices that are cheaper by another option of the same variant at one stage, cheapest first. */
  #savings(choice: SurrogateChoice, problem: SurrogateProblem): readonly SurrogateChoice[] {
    const cost = costOf(choice);
    const admits = (candidate: SurrogateChoice): boolean => costOf(candidate) < cost * (1 - COST_ROUNDING);
    const changes = { problem, anyVariant: false, admits };
    const cheaper = choice.flatMap((_, s) => this.#choicesChangedAt(s, choice, changes));
    return cheaper
      .map((each) => ({ each, total: costOf(each) }))
      .sort((a, b) => a.total - b.total)
      .map(({ each }) => each);
  }

  #fasterOf(candidate: SurrogateChoice, best: Estimated): Estimated {
    const ms = this.#estimateMs(candidate);
    return ms < best.ms ? { choice: candidate, ms } : best;
  }

  /** Neighbours of failed choices, by ascending estimate. */
  promisingChoices(problem: SurrogateProblem): readonly SurrogateChoice[] {
    for (const choice of this.#missed.values())
      for (let s = 0; s < choice.length; s++)
        for (const near of this.#choicesChangedAt(s, choice, { problem, anyVariant: true, admits: () => true }))
          if (this.#estimated.size < this.#mostEstimated) this.#estimateMs(near);
    return [...this.#estimated]
      .filter(([key, { ms }]) => !this.#missed.has(key) && ms < HOPELESS * this.#prepared.sloMs)
      .sort(([, a], [, b]) => a.ms - b.ms)
      .map(([, { choice }]) => choice);
  }

  /** Choices with another option at `stage` that keep budget, machines and floor, fastest option first. */
  #choicesChangedAt(stage: number, choice: SurrogateChoice, changes: Changes): readonly SurrogateChoice[] {
    const { problem, anyVariant, admits } = changes;
    const chosen = choice[stage]?.option;
    const choices: SurrogateChoice[] = [];
    for (const option of this.#fastestFirst(problem.stages[stage] ?? [])) {
      if (choices.length === MOST_TRIED) break;
      const isOther = option.option !== chosen;
      if (!isOther || (!anyVariant && option.option.variantIndex !== chosen?.variantIndex)) continue;
      const candidate = withOption(choice, stage, option);
      if (admits(candidate) && this.#keepsLimits(candidate)) choices.push(candidate);
    }
    return choices;
  }

  #fastestFirst(options: readonly SurrogateOption[]): readonly SurrogateOption[] {
    const known = this.#sorted.get(options);
    if (known !== undefined) return known;
    const sorted = options
      .map((option) => ({ option, ms: optionLatencyMs(option.option, ALONE) }))
      .sort((a, b) => a.ms - b.ms)
      .map(({ option }) => option);
    this.#sorted.set(options, sorted);
    return sorted;
  }

  #keepsLimits(choice: SurrogateChoice): boolean {
    const { objective, accuracy } = this.#prepared;
    const pas = accuracy.pas(choice.map((o) => o.option.variantIndex));
    if (pas === undefined || (objective.kind === 'min-cost' && pas < objective.accuracyFloor)) return false;
    return fitsLimits(this.#prepared, choice);
  }

  #estimateMs(choice: SurrogateChoice): number {
    const ms = this.#estimate(choice);
    this.#estimates++;
    this.#estimated.set(choiceKey(choice), { choice, ms });
    return ms;
  }
}

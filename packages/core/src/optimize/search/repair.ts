import type { PreparedProblem } from '../options/prepared-problem.js';
import {
  choiceKey,
  optionLatencyMs,
  type SurrogateChoice,
  type SurrogateOption,
  type SurrogateProblem,
} from '../options/surrogate.js';
import { isWithin, totalUse } from '../problem/resource-use.js';
import { canPack } from '../surrogate/node-packing.js';
import { costOf } from '../surrogate/objective-value.js';

/**
 * Second thoughts about what the additive surrogate chose. Options that look alike to it need not be alike in the graph: what leaves a stage in
 * batches arrives at the next in groups. So a choice that missed its SLO is changed, stage by stage, to the option with which the estimate of
 * the whole graph is fastest; one that holds, to what is cheaper and by that estimate still fast enough; and before giving up, the choices
 * around those that missed are ranked by it. Ends after a fixed number of estimates.
 */

/** What a repair may do. */
export interface RepairLimits {
  /** Whether variants may change too. */
  readonly anyVariant: boolean;
  /** Whether a choice is worth having. */
  readonly worthwhile: (choice: SurrogateChoice) => boolean;
}

/** An estimate of the whole graph takes about a millisecond; with CPU shares, which are simulated, it takes many. */
const MOST_ESTIMATED = 180;

const MOST_ESTIMATED_WITH_SHARES = 24;

/** Part of them that one repair may take. */
const REPAIR_PART = 1 / 3;

/** Options tried per stage, the fastest alone first. */
const MOST_TRIED = 8;

const COST_ROUNDING = 1e-9;

const ALONE = { theta: 0.7, kappa: 1 };

/** Choices of which the estimate expects this multiple of the SLO are not worth a simulation. */
const HOPELESS = 1.5;

const withOption = (choice: SurrogateChoice, stage: number, by: SurrogateOption): SurrogateChoice =>
  choice.map((option, s) => (s === stage ? by : option));

/** Whether the estimate of a choice has to simulate CPU shares. */
export const simulatesShares = (choice: SurrogateChoice): boolean =>
  choice.some((o) => o.option.curve.shareFraction < 1);

const sameVariants = (a: SurrogateChoice, b: SurrogateChoice): boolean =>
  a.every((o, s) => o.option.variantIndex === b[s]?.option.variantIndex);

/** Which changes of an option are looked at. */
interface Changes {
  readonly problem: SurrogateProblem;
  readonly admits: (choice: SurrogateChoice) => boolean;
}

interface Estimated {
  readonly choice: SurrogateChoice;
  readonly ms: number;
}

/** Remembers what missed and what was estimated in one search. */
export class ChoiceRepair {
  readonly #prepared: PreparedProblem;
  readonly #estimate: (choice: SurrogateChoice) => number;
  readonly #missed = new Map<string, SurrogateChoice>();
  readonly #estimated = new Map<string, Estimated>();
  readonly #mostEstimated: number;
  #estimates = 0;

  /** `estimateMs` is the latency of a choice by the estimate of the whole graph. */
  constructor(prepared: PreparedProblem, estimateMs: (choice: SurrogateChoice) => number) {
    this.#prepared = prepared;
    this.#estimate = estimateMs;
    const shares = prepared.options.some((options) => options.some((o) => o.curve.shareFraction < 1));
    this.#mostEstimated = shares ? MOST_ESTIMATED_WITH_SHARES : MOST_ESTIMATED;
  }

  /** Tells of a choice that missed. */
  recordMiss(choice: SurrogateChoice): void {
    this.#missed.set(choiceKey(choice), choice);
  }

  /** The fastest choice found near `choice` within the budget; perhaps `choice` itself. */
  repair(choice: SurrogateChoice, problem: SurrogateProblem, limits: RepairLimits): SurrogateChoice {
    const end = this.#estimates + this.#mostEstimated * REPAIR_PART;
    const admits = (candidate: SurrogateChoice): boolean =>
      (limits.anyVariant || sameVariants(candidate, choice)) && limits.worthwhile(candidate);
    let best: Estimated = { choice, ms: this.#estimateMs(choice) };
    for (;;) {
      const before = best;
      for (let s = 0; s < choice.length; s++)
        for (const candidate of this.#choicesChangedAt(s, best.choice, { problem, admits }))
          if (this.#estimates < end) best = this.#fasterOf(candidate, best);
      if (best === before) return best.choice;
    }
  }

  /**
   * Choices of the same variants at less cost that the estimate deems fast enough, the cheapest first: option by option, the step that
   * saves most is taken until none is left.
   */
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

  /** Choices with a cheaper option of the same variant at one stage, the cheapest choice first. */
  #savings(choice: SurrogateChoice, problem: SurrogateProblem): readonly SurrogateChoice[] {
    const cost = costOf(choice);
    const admits = (candidate: SurrogateChoice): boolean =>
      sameVariants(candidate, choice) && costOf(candidate) < cost * (1 - COST_ROUNDING);
    const cheaper = choice.flatMap((_, s) => this.#choicesChangedAt(s, choice, { problem, admits }));
    return cheaper
      .map((each) => ({ each, total: costOf(each) }))
      .sort((a, b) => a.total - b.total)
      .map(({ each }) => each);
  }

  #fasterOf(candidate: SurrogateChoice, best: Estimated): Estimated {
    const ms = this.#estimateMs(candidate);
    return ms < best.ms ? { choice: candidate, ms } : best;
  }

  /** Choices around those that missed, the fastest by the estimate first; none that is hopeless or missed itself. */
  promisingChoices(problem: SurrogateProblem): readonly SurrogateChoice[] {
    for (const choice of this.#missed.values())
      for (let s = 0; s < choice.length; s++)
        for (const near of this.#choicesChangedAt(s, choice, { problem, admits: () => true }))
          if (this.#estimated.size < this.#mostEstimated) this.#estimateMs(near);
    return [...this.#estimated]
      .filter(([key, { ms }]) => !this.#missed.has(key) && ms < HOPELESS * this.#prepared.sloMs)
      .sort(([, a], [, b]) => a.ms - b.ms)
      .map(([, { choice }]) => choice);
  }

  /** Choices with another option at one stage that are admitted and keep budget, machines and floor, the option fastest alone first. */
  #choicesChangedAt(stage: number, choice: SurrogateChoice, { problem, admits }: Changes): readonly SurrogateChoice[] {
    return (problem.stages[stage] ?? [])
      .filter((option) => option.option !== choice[stage]?.option)
      .map((option) => ({ candidate: withOption(choice, stage, option), ms: optionLatencyMs(option.option, ALONE) }))
      .filter(({ candidate }) => admits(candidate) && this.#keepsLimits(candidate))
      .sort((a, b) => a.ms - b.ms)
      .slice(0, MOST_TRIED)
      .map(({ candidate }) => candidate);
  }

  #keepsLimits(choice: SurrogateChoice): boolean {
    const { limits, objective, accuracy, spec } = this.#prepared;
    const use = totalUse(choice.map((o) => o.option.use));
    if (use.some((amount, r) => !isWithin(amount, limits[r] as number))) return false;
    const pas = accuracy.pas(choice.map((o) => o.option.variantIndex));
    if (pas === undefined || (objective.kind === 'min-cost' && pas < objective.accuracyFloor)) return false;
    return (
      spec.nodes === undefined ||
      canPack(
        choice.map((o) => o.option),
        spec.nodes,
      )
    );
  }

  #estimateMs(choice: SurrogateChoice): number {
    const ms = this.#estimate(choice);
    this.#estimates++;
    this.#estimated.set(choiceKey(choice), { choice, ms });
    return ms;
  }
}

/**
 * Anytime search for better choices, verified by simulation. It considers variant combinations (classes) that could
 * improve on the incumbent. Candidates are their fastest choices per price level. Each step judges the candidate with
 * the largest gain × probability of verification ÷ work. Each round widens the beam and lowers the probability that a
 * candidate needs. Limits are counts, so the search is deterministic.
 */
import { type PlanVerification, showsSloMet } from '../../model/plan.js';
import type { PreparedProblem } from '../options/prepared-problem.js';
import { plannedRps } from '../options/prepared-stage.js';
import { choiceKey, type SurrogateChoice, type SurrogateOption, surrogateProblem } from '../options/surrogate.js';
import { fitsLimits } from '../surrogate/node-packing.js';
import { pasOf } from '../surrogate/objective-value.js';
import type { ChoiceJudge, ExpectedChoice } from './choice-judge.js';
import { ChoiceShapes, differsAtOneStage, hasSameVariants } from './choice-shapes.js';
import { classOptions, pessimistic, priceOf } from './class-options.js';
import { fastChoices, type PricedOption } from './fast-choices.js';
import { COST_ROUNDING, gainOver, type Standing, TIE } from './gain.js';
import { pairsOfChanges, type VariantClass, variantClasses } from './variant-classes.js';

export interface HeldChoice {
  readonly choice: SurrogateChoice;
  readonly verdict: PlanVerification;
}

/** `exhausted`: no limit stopped the search or excluded a class. `skipped`: number of candidates left undecided. */
export interface Improvement {
  readonly held: HeldChoice | undefined;
  readonly exhausted: boolean;
  readonly skipped: number;
}

/** `known`: plans that are verified first. `promising`: additional candidates. */
export interface Hints {
  readonly known?: readonly SurrogateChoice[];
  readonly promising?: readonly SurrogateChoice[];
}

interface Round {
  readonly perLevel: number;
  readonly leastProbability: number;
}

const ROUNDS: readonly Round[] = [
  { perLevel: 3, leastProbability: 0.05 },
  { perLevel: 6, leastProbability: 0.02 },
  { perLevel: 12, leastProbability: 0.01 },
  { perLevel: 32, leastProbability: 0.004 },
];
/** The last round gives a look to all new options and adds pairs of changed variants. It repeats while it gains. */
const LAST_ROUND: Round = { perLevel: 32, leastProbability: 0.004 };
/** Maximum number of classes that differ from the incumbent's in two stages, per round. */
const MOST_PAIRS = 60;
/** Neighbours add classes only up to this number: each costs beams between two simulations. */
const MOST_CLASSES = 120;
const PROBE_LEVELS = 12;
const LEVELS = 32;
/** Factors of the surrogate that ranks classes. Its times are optimistic: below the means. */
const OPTIMISTIC = { theta: 0, kappa: 0.75 };
/** Number of candidates that are ranked at each step. */
const RANKED = 128;
/**
 * Visits of stages that are worth a full verification. Long pipelines have many candidates, so ranking them may take
 * longer than their simulations.
 */
export const VISITS_PER_WORK = 600_000;
/** Visits per stage to make a candidate, relative to one visit when it is ranked. */
const VISITS_TO_ADD = 8;
/** Part of the work limit that is kept for looks at choices next to the incumbent. */
const POLISH_PART = 0.1;
/** Least probability in the order of these looks. */
const UNLIKELY = 1e-3;
/** Partial choices are dropped beyond `FAR` deviations above the SLO. A deviation is at least `LEAST_DEVIATION`. */
const FAR = 2.5;
const LEAST_DEVIATION = 0.15;

interface Class extends VariantClass {
  /** `probed`: last round that probed the class. `expanded`: last round with a full beam. −1: none. */
  probed: number;
  expanded: number;
  expandedAsTie: boolean;
}

interface Candidate extends ExpectedChoice {
  readonly of: Class;
  readonly price: number;
  score: number;
}

export class ChoiceSearch {
  readonly #prepared: PreparedProblem;
  readonly #judge: ChoiceJudge;
  readonly #stages: readonly (readonly SurrogateOption[])[];
  #classes: Class[] = [];
  readonly #classesComplete: boolean;
  readonly #belowPas: number;
  readonly #open = new Map<string, Candidate>();
  readonly #shapes = new ChoiceShapes<Candidate>();
  /** Best candidates of the last ranking of all, and newer candidates. */
  #ranked: Candidate[] = [];
  #stepsToRanking = 0;
  #options: readonly ReadonlyMap<number, readonly PricedOption[]>[] = [];
  #round = 0;
  /** While it polishes: accepts only choices near the incumbent. */
  #near: typeof hasSameVariants | undefined;
  #held: HeldChoice | undefined;
  /** New incumbents and narrow misses, until their neighbours become candidates. */
  readonly #nearby: SurrogateChoice[] = [];
  readonly #classOf = new Map<string, Class>();
  #standing: Standing | undefined;
  #visits = 0;
  #mostVisits = 0;

  /** Searches only choices whose PAS is below `belowPas`. */
  constructor(prepared: PreparedProblem, judge: ChoiceJudge, belowPas = Number.POSITIVE_INFINITY) {
    this.#prepared = prepared;
    this.#judge = judge;
    const problem = surrogateProblem(prepared, OPTIMISTIC);
    this.#stages = problem.stages;
    const { classes, complete } = variantClasses(problem);
    this.#belowPas = belowPas;
    this.#classesComplete = complete;
    for (const each of classes) this.#addClass(each);
  }

  #addClass({ variants, pas }: VariantClass): Class | undefined {
    if (!this.#isSearched(pas)) return undefined;
    const added: Class = { variants, pas, probed: -1, expanded: -1, expandedAsTie: false };
    this.#classes.push(added);
    this.#classOf.set(variants.join(), added);
    return added;
  }

  /**
   * Improves `held` until no plausible candidate is left, or `workLimit` (in full verifications) is used up by
   * simulations, or by visits of stages.
   */
  run(held: HeldChoice | undefined, workLimit: number, hints: Hints = {}): Improvement {
    if (held !== undefined) this.#hold(held);
    const end = this.#judge.work + workLimit;
    this.#tryKnown(hints.known ?? []);
    for (const choice of hints.promising ?? []) this.#suggest(choice);
    const visits = VISITS_PER_WORK * workLimit;
    let isComplete = true;
    let before: HeldChoice | undefined;
    for (this.#round = 0; isComplete && (this.#round <= ROUNDS.length || this.#held !== before); this.#round++) {
      before = this.#held;
      this.#beginRound();
      this.#mostVisits = visits * (1 - POLISH_PART);
      isComplete = this.#stepUntil(end - POLISH_PART * workLimit);
      this.#mostVisits = this.#visits + visits * POLISH_PART;
      if (!isComplete || this.#round >= ROUNDS.length)
        this.#polish(Math.min(end, this.#judge.work + POLISH_PART * workLimit));
    }
    return this.#improvement(isComplete && this.#classesComplete);
  }

  /** Returns true if no plausible candidate is left. */
  #stepUntil(end: number): boolean {
    for (let next = this.#next(); next !== undefined; next = this.#next()) {
      if (this.#judge.work >= end) return false;
      this.#step(next);
    }
    return !this.#isSpent;
  }

  get #isSpent(): boolean {
    return this.#visits >= this.#mostVisits;
  }

  /**
   * Looks at better choices near the incumbent even if they seem too slow, because estimates can be far off. Choices
   * with its variants come first, then those that differ from it at one stage.
   */
  #polish(end: number): void {
    for (const near of [hasSameVariants, differsAtOneStage]) {
      this.#near = near;
      this.#stepsToRanking = 0;
      if (this.#held !== undefined) this.#stepUntil(end);
    }
    this.#near = undefined;
  }

  #improvement(exhausted: boolean): Improvement {
    return { held: this.#held, exhausted, skipped: this.#open.size };
  }

  get #limits(): Round {
    return ROUNDS[this.#round] ?? LAST_ROUND;
  }

  #beginRound(): void {
    this.#options = classOptions(this.#judge, this.#prepared.objective, this.#stages);
    this.#stepsToRanking = 0;
    for (const each of this.#classes) each.expandedAsTie = false;
    if (this.#round >= ROUNDS.length && this.#held !== undefined) this.#addPairs(this.#held);
  }

  #isSearched(pas: number): boolean {
    const { objective } = this.#prepared;
    const floor = objective.kind === 'min-cost' ? objective.accuracyFloor : 0;
    return pas >= floor * (1 - TIE) && pas < this.#belowPas * (1 - TIE);
  }

  /** Gain over the incumbent; 0 if not better. */
  #gain(of: Standing): number {
    return gainOver(this.#prepared.objective, of, this.#standing);
  }

  /** The candidate with the largest expected gain, once its class is expanded. */
  #next(): Candidate | undefined {
    while (!this.#isSpent) {
      this.#addNeighbours();
      this.#probe();
      const best = this.#mostPromising();
      if (best === undefined || !this.#expand(best.of)) return best;
    }
    return undefined;
  }

  /** Ranks all candidates again after a number of steps that grows with theirs. Between, ranks only the best ones. */
  #mostPromising(): Candidate | undefined {
    if (this.#stepsToRanking-- > 0) {
      const best = this.#rank(this.#ranked)[0];
      if (best !== undefined) return best;
    }
    this.#ranked = this.#rank([...this.#open.values()]).slice(0, RANKED);
    this.#stepsToRanking = Math.floor(this.#open.size / RANKED);
    return this.#ranked[0];
  }

  /** Open candidates that are better than the incumbent and likely enough, best score first. */
  #rank(candidates: readonly Candidate[]): Candidate[] {
    this.#visits += candidates.length * this.#stages.length;
    const likely = candidates.filter((candidate) => {
      const { key, of, price } = candidate;
      if (this.#open.get(key) !== candidate) return false;
      const gain = this.#gain({ pas: of.pas, price });
      if (gain <= 0) {
        this.#open.delete(key);
        return false;
      }
      const { holds, perWork } = this.#judge.chance(candidate);
      candidate.score = Math.max(perWork, this.#near ? UNLIKELY : 0) * gain;
      return (
        candidate.score > 0 && (this.#near ? this.#isNear(candidate) : holds >= this.#leastProbabilityOf(candidate))
      );
    });
    return likely.sort((a, b) => b.score - a.score);
  }

  /** In the last round 0 for a choice with a new option, and for all choices while no plan is verified. */
  #leastProbabilityOf(candidate: Candidate): number {
    const { leastProbability } = this.#limits;
    if (this.#round < ROUNDS.length) return leastProbability;
    return this.#held === undefined || this.#judge.isNew(candidate) ? 0 : leastProbability;
  }

  #isNear({ choice, key }: Candidate): boolean {
    const isNear = this.#held !== undefined && this.#near?.(choice, this.#held.choice) === true;
    return isNear && !this.#judge.looksBad(key);
  }

  /** Verifies each known choice that would be better, regardless of its estimate. */
  #tryKnown(known: readonly SurrogateChoice[]): void {
    for (const choice of known) {
      const standing = this.#standingOf(choice);
      if (standing === undefined || !fitsLimits(this.#prepared, choice)) continue;
      const verdict = this.#judge.verdict(choice);
      if (showsSloMet(verdict)) this.#hold({ choice, verdict });
      else this.#fail(choice);
    }
  }

  #suggest(choice: SurrogateChoice): void {
    this.#visits += choice.length;
    const standing = this.#standingOf(choice);
    if (standing !== undefined) this.#add(standing.of, [{ choice, price: standing.price }]);
  }

  /** Adds its class if missing. Undefined if the choice is not better, or its class is not searched. */
  #standingOf(choice: SurrogateChoice): (Standing & { readonly of: Class }) | undefined {
    const variants = choice.map(({ option }) => option.variantIndex);
    const known = this.#classOf.get(variants.join());
    const pas = known?.pas ?? this.#prepared.accuracy.pas(variants);
    const price = choice.reduce((sum, each) => sum + priceOf(this.#prepared.objective, each), 0);
    if (pas === undefined || this.#gain({ pas, price }) <= 0) return undefined;
    const of = known ?? (this.#classes.length < MOST_CLASSES ? this.#addClass({ variants, pas }) : undefined);
    return of && { of, pas, price };
  }

  /** Suggests all choices that differ at one stage from new incumbents and narrow misses. */
  #addNeighbours(): void {
    for (const choice of this.#nearby.splice(0))
      choice.forEach((own, s) => {
        for (const option of this.#stages[s] ?? []) {
          if (option.option === own.option || this.#isSpent) continue;
          this.#suggest(choice.map((each, t) => (t === s ? option : each)));
        }
      });
  }

  /** Adds classes that differ from the incumbent's in two stages, those with the fastest choices first. */
  #addPairs({ choice }: HeldChoice): void {
    const held = choice.map(({ option }) => option.variantIndex);
    const pairs = pairsOfChanges(
      held,
      this.#options.map((options) => [...options.keys()]),
    );
    const unknown = pairs.flatMap((variants) => {
      const pas = this.#classOf.has(variants.join()) ? undefined : this.#prepared.accuracy.pas(variants);
      if (pas === undefined || !this.#isSearched(pas) || !this.#couldGain({ variants, pas })) return [];
      return [{ variants, pas, latencyMs: this.#fastestOf(this.#optionsOf({ variants, pas })).latencyMs }];
    });
    for (const each of unknown.sort((a, b) => a.latencyMs - b.latencyMs).slice(0, MOST_PAIRS)) this.#addClass(each);
  }

  #couldGain(of: VariantClass): boolean {
    const least = this.#leastPrice(of);
    return this.#gain({ pas: of.pas, price: least }) > 0;
  }

  #optionsOf({ variants }: VariantClass): readonly (readonly PricedOption[])[] {
    return variants.map((variant, s) => this.#options[s]?.get(variant) ?? []);
  }

  #leastPrice(of: VariantClass): number {
    return this.#optionsOf(of).reduce((sum, options) => sum + Math.min(...options.map((o) => o.price)), 0);
  }

  /** Adds the fastest choices of each class that could be better. */
  #probe(): void {
    // Least prices never change and the incumbent only improves: a class that cannot gain stays so.
    this.#classes = this.#classes.filter((each) => each.probed === this.#round || this.#couldGain(each));
    const due = this.#classes.filter((each) => each.probed !== this.#round);
    if (due.length === 0) return;
    for (const each of due) {
      if (this.#isSpent) return;
      each.probed = this.#round;
      this.#add(each, this.#beam(each, PROBE_LEVELS, 1));
    }
    // A class without open candidates would never be expanded again, but a wider beam may find candidates.
    const open = new Set([...this.#open.values()].map(({ of }) => of));
    for (const each of due) if (each.expanded >= 0 && !open.has(each)) this.#expand(each);
  }

  /** Returns false if the class is already expanded in this round. */
  #expand(of: Class): boolean {
    const asTie = this.#standing !== undefined && Math.abs(of.pas - this.#standing.pas) <= TIE * of.pas;
    if (of.expanded === this.#round && (of.expandedAsTie || !asTie)) return false;
    of.expanded = this.#round;
    of.expandedAsTie = asTie;
    const { perLevel } = this.#limits;
    this.#add(of, this.#beam(of, LEVELS, perLevel));
    return true;
  }

  #beam(of: Class, levels: number, perLevel: number) {
    const { graph, limits, sloMs, objective } = this.#prepared;
    const bounded =
      this.#standing !== undefined &&
      (objective.kind === 'min-cost' ||
        (objective.kind === 'max-accuracy' && of.pas <= this.#standing.pas * (1 + TIE)));
    const priceLimit = bounded ? (this.#standing as Standing).price * (1 + COST_ROUNDING) : Number.POSITIVE_INFINITY;
    const stages = this.#optionsOf(of);
    if (stages.some((options) => options.length === 0)) return [];
    const deviation = Math.max(LEAST_DEVIATION, this.#judge.deviation(this.#fastestOf(stages)));
    const latencyLimitMs = sloMs * Math.exp(FAR * deviation);
    const shape = { graph, limits, priceLimit, levels };
    this.#visits += stages.reduce((sum, options) => sum + options.length, 0) * levels * perLevel;
    const spare = stages.map((options, s) => {
      const stage = this.#prepared.stages[s];
      return stage === undefined ? options : pessimistic(options, plannedRps(stage.load));
    });
    return [
      ...fastChoices({ ...shape, stages, latencyLimitMs, perLevel }),
      ...fastChoices({
        ...shape,
        stages: spare,
        latencyLimitMs: Number.POSITIVE_INFINITY,
        perLevel: Math.ceil(perLevel / 2),
      }),
    ];
  }

  /** Choice of the fastest option per stage, regardless of limits. */
  #fastestOf(stages: readonly (readonly PricedOption[])[]): ExpectedChoice {
    const latencyMs = ({ times }: PricedOption): number => times.meanMs + times.spreadMs;
    return this.#judge.expect(
      stages.map((options) => options.reduce((a, b) => (latencyMs(b) < latencyMs(a) ? b : a)).option),
    );
  }

  #add(of: Class, choices: readonly { readonly choice: SurrogateChoice; readonly price: number }[]): void {
    for (const { choice, price } of choices) {
      const key = choiceKey(choice);
      if (this.#open.has(key)) continue;
      const holds = this.#judge.holds(key);
      if (holds === false || this.#gain({ pas: of.pas, price }) <= 0 || !fitsLimits(this.#prepared, choice)) continue;
      if (holds === undefined && this.#shapes.mustFail(choice)) continue;
      const candidate: Candidate = Object.assign(this.#judge.expect(choice), { of, price, score: 0 });
      this.#visits += VISITS_TO_ADD * choice.length;
      this.#open.set(key, candidate);
      this.#ranked.push(candidate);
      this.#shapes.add(candidate);
    }
  }

  #step(candidate: Candidate): void {
    const judge = this.#judge;
    const { key, choice } = candidate;
    const verdict = judge.judge(candidate);
    const holds = judge.holds(key);
    if (holds === undefined) return;
    this.#open.delete(key);
    if (holds) this.#hold({ choice, verdict });
    else {
      this.#fail(choice);
      if (isNarrowMiss(verdict)) this.#nearby.push(choice);
    }
  }

  #hold(held: HeldChoice): void {
    const { accuracy, objective } = this.#prepared;
    const { choice } = held;
    this.#held = held;
    this.#nearby.push(choice);
    this.#stepsToRanking = 0;
    this.#standing = {
      pas: pasOf(accuracy, choice),
      price: choice.reduce((sum, o) => sum + priceOf(objective, o), 0),
    };
  }

  /** Also rejects choices of this shape with at most these replicas at each stage. */
  #fail(choice: SurrogateChoice): void {
    for (const { key } of this.#shapes.fail(choice)) this.#open.delete(key);
  }
}

/** The SLO was met, but not shown. */
const isNarrowMiss = ({ sloAttainmentFraction, percentile }: PlanVerification): boolean =>
  sloAttainmentFraction >= percentile / 100;

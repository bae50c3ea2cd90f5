/**
 * Reference search, which does much more work than the planner and shares no code with it. It simulates each plausible
 * plan of the combinations in the order of the objective, or all plans if they are few. Then it anneals from the best
 * known plan. A plan counts if it holds conclusively by the public verifier, with the planner's seed and with another
 * one.
 */
import { type Rng, SeededRng, showsSloMet } from '@equipoise/core/model';
import type { PlanJudge, StagePlans, Worth } from './plan-judge.js';
import { type Combination, type Config, PLAUSIBLE, type PlanSpace } from './plan-space.js';
import type { StageOption } from './stage-options.js';

export type Origin = 'planner' | 'ordered' | 'exhaustive' | 'annealing';

export interface ReferencePlan {
  readonly stages: StagePlans;
  readonly worth: Worth;
  readonly origin: Origin;
}

export interface ReferenceAnswer {
  readonly best?: ReferencePlan;
  /** True if all plans better than the best one were simulated or are much too slow. */
  readonly exhaustive: boolean;
  readonly simulations: number;
}

const SAME = 1e-9;
const LIKELY_TRIES = 4;
const TRIES_AT_A_LEVEL = 3;
const MOST_EXHAUSTIVE = 2500;
const MUCH_TOO_SLOW = 1.6;
const MOST_COMBINATIONS = 4000;
const ANNEALING_STEPS = 6000;
const RESTARTS = 3;
const LENIENT = 1.3;

export class ReferenceSearch {
  readonly #space: PlanSpace;
  readonly #judge: PlanJudge;
  readonly #limit: number;
  readonly #tried = new Set<string>();
  /** Replica counts that failed, by the rest of the plan. */
  readonly #failed = new Map<string, number[][]>();
  #simulations = 0;
  #best: ReferencePlan | undefined;

  /** `limit`: simulated plans of the ordered part; the annealing may simulate as many. */
  constructor(space: PlanSpace, limit: number) {
    this.#space = space;
    this.#judge = space.judge;
    this.#limit = limit;
  }

  run(planners: readonly StagePlans[]): ReferenceAnswer {
    for (const stages of planners) this.#offerPlan(stages);
    const combinations = this.#space.combinations();
    if (this.#judge.spec.objective.kind === 'max-accuracy') this.#byAccuracy(combinations);
    else this.#firstThatHolds(this.#byValue(combinations));
    const exhaustive = this.#exhaust(combinations);
    if (!exhaustive) this.#anneal(combinations);
    return { ...(this.#best && { best: this.#best }), exhaustive, simulations: this.#simulations };
  }

  #isBetter({ value, cost }: Pick<Worth, 'value' | 'cost'>): boolean {
    if (this.#best === undefined) return true;
    const { worth } = this.#best;
    return value > worth.value + SAME || (value > worth.value - SAME && cost < worth.cost - SAME);
  }

  #offerPlan(stages: StagePlans): void {
    if (!this.#judge.fits(stages)) return;
    const verdict = this.#judge.holds(stages);
    this.#simulations++;
    const worth = this.#judge.worth(stages);
    if (verdict.holds && this.#holdsElsewhere(stages)) this.#best = { stages, worth, origin: 'planner' };
  }

  #holdsElsewhere(stages: StagePlans): boolean {
    return showsSloMet(this.#judge.verifiedIndependently(this.#judge.planOf(stages)));
  }

  /** Simulates a plan that would be better than the best one. */
  #offer(config: Config, origin: Origin): boolean {
    const stages = this.#space.plansOf(config);
    const worth = this.#judge.worth(stages);
    if (!this.#isBetter(worth) || !this.#judge.fits(stages)) return false;
    const key = JSON.stringify(config.map(({ stagePlan }) => stagePlan));
    if (this.#tried.has(key) || this.#mustFail(config)) return false;
    this.#tried.add(key);
    this.#simulations++;
    const { holds, latencyMs } = this.#judge.holds(stages);
    this.#space.learn(config, latencyMs);
    if (!holds) {
      const shape = shapeOf(config);
      this.#failed.set(shape, [...(this.#failed.get(shape) ?? []), replicasOf(config)]);
      return false;
    }
    if (!this.#holdsElsewhere(stages)) return false;
    this.#best = { stages, worth, origin };
    return true;
  }

  /** True if the same plan with at least as many replicas everywhere failed. */
  #mustFail(config: Config): boolean {
    const replicas = replicasOf(config);
    return (this.#failed.get(shapeOf(config)) ?? []).some((failed) =>
      failed.every((count, i) => count >= (replicas[i] as number)),
    );
  }

  get #isSpent(): boolean {
    return this.#simulations >= this.#limit;
  }

  /**
   * If accuracy decides: tries the likeliest plans of each combination, then cheaper plans of the first combination
   * that holds.
   */
  #byAccuracy(combinations: readonly Combination[]): void {
    let looked = 0;
    for (const combination of combinations) {
      if (this.#isSpent || looked > MOST_COMBINATIONS) return;
      if (!this.#isBetter({ value: combination.pas, cost: combination.leastCost })) return;
      looked++;
      if (!this.#space.mayHold(combination, PLAUSIBLE)) continue;
      const ranked = this.#plausible(combination);
      const likely = [...ranked].sort((a, b) => a.misses - b.misses || a.cost - b.cost).slice(0, LIKELY_TRIES);
      const held = likely.some(({ config }) => this.#offer(config, 'ordered'));
      if (held || this.#bestPas >= combination.pas - SAME) this.#firstThatHolds(ranked);
    }
  }

  get #bestPas(): number {
    return this.#best?.worth.pas ?? Number.NEGATIVE_INFINITY;
  }

  /** Tries ranked plans until one holds, which is then the best. Tries only a few plans of equal value and variants. */
  #firstThatHolds(ranked: Iterable<Ranked>): void {
    const tries = new Map<string, number>();
    for (const { combination, config, value, cost } of ranked) {
      if (this.#isSpent) return;
      const level = `${combination} ${value.toFixed(6)} ${cost.toFixed(6)}`;
      const before = tries.get(level) ?? 0;
      if (before >= TRIES_AT_A_LEVEL) continue;
      const simulated = this.#simulations;
      if (this.#offer(config, 'ordered')) return;
      if (this.#simulations > simulated) tries.set(level, before + 1);
    }
  }

  /** Plans of all combinations that are better than the best one and may hold, best value first. */
  *#byValue(combinations: readonly Combination[]): Generator<Ranked> {
    const pool: Ranked[] = [];
    const popAbove = function* (bound: number): Generator<Ranked> {
      for (let last = pool.at(-1); last !== undefined && last.value >= bound - SAME; last = pool.at(-1)) {
        pool.pop();
        yield last;
      }
    };
    for (const combination of combinations.slice(0, MOST_COMBINATIONS)) {
      yield* popAbove(combination.valueBound);
      if (!this.#isBetter({ value: combination.valueBound, cost: combination.leastCost })) break;
      if (!this.#space.mayHold(combination, PLAUSIBLE)) continue;
      pool.push(...this.#plausible(combination));
      pool.sort((a, b) => a.value - b.value || b.misses - a.misses);
    }
    yield* popAbove(Number.NEGATIVE_INFINITY);
  }

  /** Plans of a combination that are better than the best and may hold, cheapest first. */
  #plausible(combination: Combination): Ranked[] {
    const name = combination.choices.map((options) => options[0]?.stagePlan.variantId).join(' ');
    const keep = (config: Config): boolean => this.#isBetter(this.#judge.worth(this.#space.plansOf(config)));
    const configs = this.#space.configsOf(combination, keep) ?? this.#greedy(combination).filter(keep);
    return configs
      .filter((config) => this.#space.misses(config, PLAUSIBLE) <= this.#judge.allowedMisses)
      .map((config) => {
        const { cost, value } = this.#judge.worth(this.#space.plansOf(config));
        return { combination: name, config, cost, value, misses: this.#space.misses(config) };
      })
      .sort((a, b) => a.cost - b.cost || a.misses - b.misses);
  }

  /** Upgrades the cheapest options step by step, by saved misses per cost. Returns the config of every step. */
  #greedy({ choices }: Combination): readonly Config[] {
    const steps: Config[] = [];
    let config: Config = choices.map((options) => options[0] as StageOption);
    for (let step = 0; step < 80; step++) {
      steps.push(config);
      const before = this.#space.misses(config, LENIENT) + this.#space.misses(config);
      const upgrades = choices.flatMap((options, stage) =>
        options
          .filter((option) => option.cost > (config[stage] as StageOption).cost - SAME && option !== config[stage])
          .map((option) => config.map((old, i) => (i === stage ? option : old))),
      );
      const rated = upgrades
        .filter((upgrade) => this.#judge.fits(this.#space.plansOf(upgrade)))
        .map((upgrade) => {
          const saved = before - this.#space.misses(upgrade, LENIENT) - this.#space.misses(upgrade);
          return { upgrade, rate: saved / Math.max(1e-3, costOf(upgrade) - costOf(config)) };
        });
      const best = rated.reduce((a, b) => (b.rate > a.rate ? b : a), { upgrade: config, rate: 0 });
      if (best.rate <= 0) break;
      config = best.upgrade;
    }
    return steps.filter((found) => this.#judge.fits(this.#space.plansOf(found)));
  }

  /** Simulates all plans that are better than the best one, if they are few. */
  #exhaust(combinations: readonly Combination[]): boolean {
    const better = combinations.filter(
      (combination) =>
        this.#isBetter({ value: combination.valueBound, cost: combination.leastCost }) &&
        this.#space.mayHold(combination, MUCH_TOO_SLOW),
    );
    const keep = (config: Config): boolean => {
      const stages = this.#space.plansOf(config);
      if (!this.#isBetter(this.#judge.worth(stages)) || !this.#judge.fits(stages)) return false;
      return this.#space.misses(config, MUCH_TOO_SLOW) <= this.#judge.allowedMisses;
    };
    const configs = this.#space.allConfigs(better, { limit: MOST_EXHAUSTIVE, keep });
    if (configs === undefined) return false;
    const ranked = configs.map((config) => ({ config, worth: this.#judge.worth(this.#space.plansOf(config)) }));
    ranked.sort((a, b) => b.worth.value - a.worth.value || a.worth.cost - b.worth.cost);
    for (const { config } of ranked) this.#offer(config, 'exhaustive');
    return true;
  }

  /** Simulated annealing on the latency model; better plans that may hold are simulated. */
  #anneal(combinations: readonly Combination[]): void {
    const [first] = combinations;
    if (first === undefined) return;
    const limit = this.#simulations + this.#limit;
    const rng = new SeededRng(17);
    for (let restart = 0; restart < RESTARTS; restart++) {
      const known = this.#best && this.#space.configOf(this.#best.stages);
      const drawn = combinations[Math.floor(rng.next() * combinations.length)] as Combination;
      let config = known ?? drawn.choices.map((options) => options.at(-1) as StageOption);
      let energy = this.#energy(config);
      for (let step = 0; step < ANNEALING_STEPS && this.#simulations < limit; step++) {
        const temperature = 0.3 * (1 - step / ANNEALING_STEPS) ** 2 + 1e-4;
        const moved = this.#neighbour(config, rng);
        const after = this.#energy(moved);
        if (rng.next() >= Math.exp((energy - after) / temperature)) continue;
        [config, energy] = [moved, after];
        if (this.#space.misses(config, LENIENT) <= this.#judge.allowedMisses) this.#offer(config, 'annealing');
      }
    }
  }

  /** Less is better; unfit and slow plans pay a penalty. */
  #energy(config: Config): number {
    const stages = this.#space.plansOf(config);
    const { value, cost } = this.#judge.worth(stages);
    const scale = Math.max(SAME, Math.abs(this.#best?.worth.value ?? value));
    const slow = Math.log(Math.max(1, this.#space.misses(config, PLAUSIBLE) / this.#judge.allowedMisses));
    return -value / scale + 1e-6 * cost + 0.3 * slow + (this.#judge.fits(stages) ? 0 : 1);
  }

  #neighbour(config: Config, rng: Rng): Config {
    const moved = [...config];
    const moves = rng.next() < 0.4 ? 2 : 1;
    for (let move = 0; move < moves; move++) {
      const stage = Math.floor(rng.next() * config.length);
      const ofStage = this.#space.stages[stage];
      if (ofStage === undefined) continue;
      const { variants } = ofStage;
      const current = variants.find(({ id }) => id === moved[stage]?.stagePlan.variantId);
      const variant = rng.next() < 0.5 ? current : variants[Math.floor(rng.next() * variants.length)];
      const options = variant === undefined ? [] : ofStage.of(variant);
      const option = options[Math.floor(rng.next() * options.length)];
      if (option !== undefined) moved[stage] = option;
    }
    return moved;
  }
}

interface Ranked {
  readonly combination: string;
  readonly config: Config;
  readonly cost: number;
  readonly value: number;
  readonly misses: number;
}

const costOf = (config: Config): number => config.reduce((sum, { cost }) => sum + cost, 0);
const replicasOf = (config: Config): number[] => config.map(({ stagePlan }) => stagePlan.replicas);
const shapeOf = (config: Config): string =>
  config
    .map(
      ({ stagePlan: { variantId, resources, maxBatchSize } }) => `${variantId} ${resources.cpuCores} ${maxBatchSize}`,
    )
    .join('|');

/**
 * Judges choices by simulation and learns how far expected latencies are off. A quick look rejects most choices that
 * miss; only a full verification accepts one. The estimate judges without looks.
 */

import { type PlanVerification, showsSloMet } from '../../model/plan.js';
import type { PreparedProblem } from '../options/prepared-problem.js';
import { plannedRps } from '../options/prepared-stage.js';
import type { StageOption } from '../options/stage-option.js';
import { choiceKey, type SurrogateChoice } from '../options/surrogate.js';
import { type ExpectedTimes, expectedLatency, expectedTimes } from './expected-times.js';
import { type Effects, LatencyModel, type LogRatio } from './latency-model.js';

export type ChoiceSimulation = (choice: SurrogateChoice, workFraction: number) => PlanVerification;

/** A choice with its expected latency. `indices` are those of its effects in the model, −1 if unknown. */
export interface ExpectedChoice {
  readonly choice: SurrogateChoice;
  readonly key: string;
  readonly latencyMs: number;
  readonly effects: Effects;
  readonly indices: Int32Array;
  indexedAt: number;
}

/** Quick looks, as fractions of a full verification, with the noise (standard deviation) of their log ratios. */
const LOOKS = [
  { fraction: 0.08, noise: 0.12 },
  { fraction: 0.3, noise: 0.07 },
] as const;

/** Standard deviations of log ratios: prior effects, and noise of a full run. A short run sees too few slow requests. */
const PRIOR = { global: 0.15, variant: 0.25, shape: 0.25, option: 0.15, load: 0.15, look: 0.1 };
const VAGUE_FACTOR = 2;
const RUN_NOISE = 0.04;
/** Work of a verification: some are rerun. */
const USUAL_RUN = 1.5;
const RERUN = 5;
/** Standard deviation that no effect explains. */
const RESIDUAL = 0.05;
/** Percentiles near instability depend on the length of a run only. */
const MOST_LOG_RATIO = 3;

/** A verdict is conclusive only somewhat below the SLO. */
const CLEAR = 0.985;

/** Chance that the model is wrong, and how many times as wide its errors are then. */
const WRONG = 0.05;
const WIDER = 3;

const GLOBAL = 'all';
const LOAD = 'load';
const MOST_CONGESTION = 4;

export class ChoiceJudge {
  readonly #prepared: PreparedProblem;
  readonly #simulation: ChoiceSimulation;
  readonly #verdicts = new Map<string, PlanVerification>();
  /** The latest look of a choice, and the number of its looks. */
  readonly #looks = new Map<string, { readonly verdict: PlanVerification; readonly count: number }>();
  readonly #times = new WeakMap<StageOption, ExpectedTimes>();
  readonly model = new LatencyModel();
  readonly #held: { readonly choice: SurrogateChoice; readonly verdict: PlanVerification }[] = [];
  #work = 0;

  constructor(prepared: PreparedProblem, simulation: ChoiceSimulation) {
    this.#prepared = prepared;
    this.#simulation = simulation;
  }

  get simulated(): number {
    return this.#verdicts.size;
  }

  get looked(): number {
    return this.#looks.size;
  }

  /** Choices judged in any way. */
  get tried(): number {
    return new Set([...this.#verdicts.keys(), ...this.#looks.keys()]).size;
  }

  /** In full verifications. */
  get work(): number {
    return this.#work;
  }

  /** The verified choice of largest value among those that `fits` admits. */
  bestHeld(
    fits: (choice: SurrogateChoice) => boolean,
    worthOf: (choice: SurrogateChoice) => number,
  ): { readonly choice: SurrogateChoice; readonly verdict: PlanVerification } | undefined {
    let best: { choice: SurrogateChoice; verdict: PlanVerification; value: number } | undefined;
    for (const { choice, verdict } of this.#held) {
      if (!fits(choice)) continue;
      const value = worthOf(choice);
      if (best === undefined || value > best.value) best = { choice, verdict, value };
    }
    return best;
  }

  /** Undefined: not judged yet. */
  holds(key: string): boolean | undefined {
    const verdict = this.#verdicts.get(key);
    if (verdict !== undefined) return showsSloMet(verdict);
    const look = this.#looks.get(key);
    return look !== undefined && isMiss(look.verdict) ? false : undefined;
  }

  /** Work of the next look or verification, in full verifications. */
  nextWork({ key }: ExpectedChoice): number {
    const look = this.#nextLook(key);
    return look === undefined ? USUAL_RUN : look.fraction;
  }

  /** Takes the next look, or verifies in full after the last. */
  judge(expected: ExpectedChoice): PlanVerification {
    const { key, choice } = expected;
    const look = this.#nextLook(key);
    if (look === undefined) return this.run(expected);
    const verdict = this.#simulation(choice, look.fraction);
    this.#looks.set(key, { verdict, count: (this.#looks.get(key)?.count ?? 0) + 1 });
    this.#work += look.fraction;
    this.#observe(withLook(expected, LOOKS.indexOf(look)), verdict, look.noise);
    return verdict;
  }

  /** The verdict of a full verification, or of a look that shows a miss. */
  verdict(choice: SurrogateChoice): PlanVerification {
    const expected = this.expect(choice);
    for (;;) {
      const verdict = this.judge(expected);
      if (this.#verdicts.has(expected.key) || this.holds(expected.key) === false) return verdict;
    }
  }

  run(expected: ExpectedChoice): PlanVerification {
    const { key, choice } = expected;
    const before = this.#verdicts.get(key);
    if (before !== undefined) return before;
    const verdict = this.#simulation(choice, 1);
    this.#verdicts.set(key, verdict);
    if (showsSloMet(verdict)) this.#held.push({ choice, verdict });
    this.#work += verdict.conclusive ? 1 : RERUN;
    this.#observe(expected, verdict, RUN_NOISE);
    return verdict;
  }

  #nextLook(key: string): (typeof LOOKS)[number] | undefined {
    return this.#verdicts.has(key) ? undefined : LOOKS[this.#looks.get(key)?.count ?? 0];
  }

  timesOf(stage: number, option: StageOption): ExpectedTimes {
    const before = this.#times.get(option);
    if (before !== undefined) return before;
    const prepared = this.#prepared.stages[stage];
    const times = prepared === undefined ? { meanMs: 0, spreadMs: 0, vague: false } : expectedTimes(prepared, option);
    this.#times.set(option, times);
    return times;
  }

  /** Times with what was learned. */
  correctedTimes(stage: number, option: StageOption): ExpectedTimes {
    const { meanMs, spreadMs, vague } = this.timesOf(stage, option);
    const log = [GLOBAL, ...effectKeys(stage, option)].reduce((sum, key) => sum + this.model.meanOf(key), 0);
    const factor = Math.exp(Math.max(-MOST_LOG_RATIO, Math.min(MOST_LOG_RATIO, log)));
    return { meanMs: meanMs * factor, spreadMs: spreadMs * factor, vague };
  }

  expect(choice: SurrogateChoice): ExpectedChoice {
    const of = choice.map(({ option }, s) => this.timesOf(s, option));
    const { latencyMs, fractions } = expectedLatency(this.#prepared.graph, of);
    const vague = of.some((times) => times.vague) ? VAGUE_FACTOR : 1;
    const keys = [GLOBAL, LOAD];
    const weights = [1, this.#congestion(choice)];
    const deviations = [PRIOR.global * vague, PRIOR.load * vague];
    choice.forEach(({ option }, s) => {
      const factor = of[s]?.vague ? VAGUE_FACTOR : 1;
      keys.push(...effectKeys(s, option));
      weights.push(...[0, 1, 2].map(() => fractions[s] as number));
      deviations.push(PRIOR.variant * factor, PRIOR.shape * factor, PRIOR.option * factor);
    });
    const effects = { keys, weights: Float64Array.from(weights), deviations: Float64Array.from(deviations) };
    const indices = new Int32Array(keys.length).fill(-1);
    return { choice, key: choiceKey(choice), latencyMs, effects, indices, indexedAt: -1 };
  }

  /** −ln(1 − load factor) of the fullest stage: how wrong an estimate of queueing can be. */
  #congestion(choice: SurrogateChoice): number {
    const least = choice.reduce((spare, { option }, s) => {
      const stage = this.#prepared.stages[s];
      return stage === undefined ? spare : Math.min(spare, 1 - plannedRps(stage.load) / option.capacityRps);
    }, 1);
    return Math.min(MOST_CONGESTION, -Math.log(Math.max(1e-9, least)));
  }

  /** Probability that the choice holds, by what was simulated so far. */
  probability(expected: ExpectedChoice): number {
    const { mean, deviation } = this.#logRatio(expected);
    const distance = Math.log((CLEAR * this.#prepared.sloMs) / expected.latencyMs) - mean;
    const z = distance / Math.sqrt(deviation ** 2 + RESIDUAL ** 2);
    return (1 - WRONG) * normalCdf(z) + WRONG * normalCdf(z / WIDER);
  }

  /** Standard deviation of the log of the latency. */
  deviation(expected: ExpectedChoice): number {
    return Math.hypot(this.#logRatio(expected).deviation, RESIDUAL);
  }

  #logRatio(expected: ExpectedChoice): LogRatio {
    const { effects, indices } = expected;
    if (expected.indexedAt !== this.model.size) {
      for (let i = 0; i < indices.length; i++)
        if ((indices[i] as number) < 0) indices[i] = this.model.indexOf(effects.keys[i] as string);
      expected.indexedAt = this.model.size;
    }
    return this.model.predict(effects, indices);
  }

  #observe(
    { effects, latencyMs }: Pick<ExpectedChoice, 'effects' | 'latencyMs'>,
    verdict: PlanVerification,
    noise: number,
  ): void {
    if (!(verdict.latencyMs > 0)) return;
    const ratio = Math.log(verdict.latencyMs / latencyMs);
    const clipped = Math.max(-MOST_LOG_RATIO, Math.min(MOST_LOG_RATIO, ratio));
    this.model.observe(effects, clipped, Math.sqrt(noise ** 2 + RESIDUAL ** 2));
  }
}

/** Logistic approximation of the normal distribution function, within 2e-4. */
const normalCdf = (z: number): number => 1 / (1 + Math.exp(-1.5976 * z - 0.070566 * z ** 3));

function withLook(
  { effects, latencyMs }: ExpectedChoice,
  level: number,
): Pick<ExpectedChoice, 'effects' | 'latencyMs'> {
  const { keys, weights, deviations } = effects;
  return {
    latencyMs,
    effects: {
      keys: [...keys, `look ${level}`],
      weights: Float64Array.of(...weights, 1),
      deviations: Float64Array.of(...deviations, PRIOR.look),
    },
  };
}

const isMiss = (look: PlanVerification): boolean => look.conclusive && !showsSloMet(look);

function effectKeys(
  stage: number,
  { variantIndex, resources, maxBatchSize, replicas }: StageOption,
): readonly string[] {
  const variant = `${stage}:${variantIndex}`;
  const shape = `${variant}/${resources.cpuCores}/${maxBatchSize}`;
  return [variant, shape, `${shape}x${replicas}`];
}

/**
 * Judges choices by simulation and learns the error of expected latencies. A short run (quick look) rejects most
 * choices that miss the SLO. Only a full verification accepts a choice. If it is inconclusive, or is expected to be, a
 * longer run decides. Similar choices tell how much of a run was luck.
 */

import { type PlanVerification, type SimulatedRun, type StagePeak, showsSloMet } from '../../model/plan.js';
import type { PreparedProblem } from '../options/prepared-problem.js';
import { plannedRps } from '../options/prepared-stage.js';
import type { StageOption } from '../options/stage-option.js';
import { choiceKey, type SurrogateChoice } from '../options/surrogate.js';
import { type ExpectedTimes, expectedLatency, expectedTimes } from './expected-times.js';
import { type Effects, LatencyModel, type Predicted, type Prediction, TrackedSum } from './latency-model.js';
import { MarginModel } from './margin-model.js';
import { RemainderModel } from './remainder-model.js';
import { TailModel } from './tail-model.js';

/** `holds`: probability that a choice is verified. `perWork`: the same per unit of work (a full verification). */
export interface Chance {
  readonly holds: number;
  readonly perWork: number;
}

export type ChoiceSimulation = (choice: SurrogateChoice, workFraction: number) => SimulatedRun;

interface Run {
  readonly verdict: PlanVerification;
  /** Lower end of the 99 % interval of the attainment. */
  readonly lowFraction: number;
}

/** Prediction of log(latency ÷ SLO). `vaguer`: its standard deviation if the model is wrong. */
interface PredictedChoice extends Predicted {
  readonly vaguer: number;
}

/** Independent requests, and those of them that were late. */
interface Sample {
  readonly requests: number;
  readonly missed: number;
}

interface KnownRun extends Run {
  readonly choice: SurrogateChoice;
  readonly peaks: readonly StagePeak[];
}

/** A choice with its expected latency, and what the model predicts about the error of that latency. */
export interface ExpectedChoice {
  readonly choice: SurrogateChoice;
  readonly key: string;
  readonly latencyMs: number;
  readonly tracked: TrackedSum;
}

/**
 * Runs of a choice, in order. `fraction`: length relative to a full verification; below 1 the run is a quick look.
 * `noise`: standard deviation of log(simulated ÷ expected latency). The last run always decides.
 */
const RUNS = [
  { fraction: 0.08, noise: 0.12 },
  { fraction: 0.3, noise: 0.07 },
  { fraction: 1, noise: 0.04 },
  { fraction: 4, noise: 0.04 },
] as const;
const [, , FULL, RERUN] = RUNS;

/** Prior standard deviations of effects on log ratios. `look`: short runs see too few slow requests. */
const PRIOR = { global: 0.15, variant: 0.25, shape: 0.25, option: 0.15, load: 0.15, look: 0.1 };
const VAGUE_FACTOR = 2;
/** Unexplained standard deviation of the log ratio, until simulations tell more. */
const RESIDUAL = 0.05;
/** Bound of learned log ratios. Near instability, percentiles mainly reflect the run's length. */
const MOST_LOG_RATIO = 3;

/** After a look, the model counts at least as much as the look. */
const EQUALLY = 0.5;
/** Added to counts of late requests, which may be 0. */
const HALF = 0.5;
/** A run is taken to be worth at least this many times the requests that a conclusive one needs. */
const LEAST_RUNS = 2;

/** Below this fraction of the SLO, a latency usually gives a conclusive verdict. */
const CLEAR = 0.985;

/** Probability that the model is wrong. Its errors are then `WIDER` times as large, and similar choices tell nothing. */
const WRONG = 0.05;
const WIDER = 3;

const Z_99 = 2.5758;
/** Unexplained standard deviation of the log of the evidence. */
const EVIDENCE_RESIDUAL = 0.4;

const GLOBAL = 'all';
const LOAD = 'load';
const MOST_CONGESTION = 4;

export class ChoiceJudge {
  readonly #prepared: PreparedProblem;
  readonly #simulation: ChoiceSimulation;
  readonly #verdicts = new Map<string, PlanVerification>();
  readonly #looks = new Map<string, Run & { readonly next: number }>();
  readonly #runs = new Map<string, KnownRun[]>();
  readonly #times = new WeakMap<StageOption, ExpectedTimes>();
  readonly model = new LatencyModel();
  readonly #margin = new MarginModel();
  readonly #remainder = new RemainderModel();
  readonly #tail = new TailModel();
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

  get tried(): number {
    return new Set([...this.#verdicts.keys(), ...this.#looks.keys()]).size;
  }

  /** Work done, in full verifications. The second seed of a choice that holds is not counted: such choices are few. */
  get work(): number {
    return this.#work;
  }

  /** The verified choice with the largest `worthOf` among those that `fits` accepts. */
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

  /** True if verified, false if rejected, undefined if undecided. */
  holds(key: string): boolean | undefined {
    const verdict = this.#verdicts.get(key);
    if (verdict !== undefined) return showsSloMet(verdict);
    const look = this.#looks.get(key);
    return look !== undefined && isMiss(look.verdict) ? false : undefined;
  }

  /** True if the last quick look at an undecided choice missed the SLO. */
  looksBad(key: string): boolean {
    const look = this.#looks.get(key);
    return look !== undefined && isBelow(look.verdict);
  }

  /** Makes the next run of an undecided choice. */
  judge(expected: ExpectedChoice): PlanVerification {
    const { key, choice } = expected;
    const before = this.#verdicts.get(key);
    if (before !== undefined) return before;
    const run = this.#nextRun(expected);
    const { fraction } = run;
    const made = this.#simulate(choice, fraction);
    const { verdict } = made;
    const { latencyMs, tracked } = expected;
    if (verdict.latencyMs > 0) this.#compare(expected, made, run);
    const effects = fraction < 1 ? withLook(tracked.effects, RUNS.indexOf(run)) : tracked.effects;
    this.#observe({ effects, latencyMs }, made, run);
    if (fraction === 1 && verdict.latencyMs > 0)
      this.#margin.observe(Math.log(verdict.latencyMs / this.#prepared.sloMs), showsSloMet(verdict));
    if (fraction > 1 || (fraction === 1 && verdict.conclusive)) this.#decide(expected, verdict);
    else this.#looks.set(key, { ...made, next: RUNS.indexOf(run) + 1 });
    return verdict;
  }

  /** Compares a run with what the model predicts by similar choices, before the model learns from it. */
  #compare(expected: ExpectedChoice, made: Run, { fraction }: (typeof RUNS)[number]): void {
    const { latencyMs, sloAttainmentFraction } = made.verdict;
    const late = 1 - sloAttainmentFraction;
    const logLate = Math.log(late / (1 - this.#neededFraction));
    this.#tail.observe(Math.log(latencyMs / this.#prepared.sloMs), logLate, late * requestsOf(made));
    if (fraction < FULL.fraction) return;
    const { mean, deviation } = this.#predict(expected).ratio;
    const error = logRatioOf(made, expected) - mean;
    const noise = this.#noiseOf(made);
    if (fraction > FULL.fraction) this.#compareLongest(expected, { mean, deviation }, { error, noise });
    else this.#remainder.observe(error, Math.hypot(deviation, noise));
  }

  #compareLongest(
    expected: ExpectedChoice,
    { mean, deviation }: Predicted,
    { error, noise }: { readonly error: number; readonly noise: number },
  ): void {
    const full = this.#inconclusive(expected.key);
    const lasting = full === undefined ? 0 : this.#lasting(full, deviation);
    const own = full === undefined ? 0 : lasting * (logRatioOf(full, expected) - mean);
    const spread = Math.hypot(deviation, this.#remainder.deviation);
    this.#remainder.observe(error - this.#remainder.shift, Math.hypot(deviation, noise));
    this.#remainder.observeLongest(error - own, Math.hypot(Math.sqrt(1 - lasting) * spread, noise));
  }

  /** The inconclusive full verification of a choice, if that was its last run. */
  #inconclusive(key: string): Run | undefined {
    const last = this.#looks.get(key);
    return last !== undefined && RUNS[last.next] === RERUN ? last : undefined;
  }

  /** Standard deviation of the log of the latency by the finite length of a run. */
  #noiseOf(run: Run): number {
    const needed = this.#neededFraction;
    return Math.sqrt(needed / ((1 - needed) * sampleOf(run).requests)) / this.#tail.slope;
  }

  /** Fraction of a run's deviation from its prediction that longer runs show, too. The rest is luck. */
  #lasting(run: Run, deviation: number): number {
    const own = deviation ** 2 + this.#remainder.deviation ** 2;
    return own / (own + this.#noiseOf(run) ** 2);
  }

  /** A run without the part that was luck. Knowledge of similar choices is worth further requests. */
  #pooled(expected: ExpectedChoice, run: Run, { mean, deviation }: Predicted): Sample {
    const lasting = this.#lasting(run, deviation);
    const change = this.#remainder.shift - (1 - lasting) * (logRatioOf(run, expected) - mean);
    const { requests, missed } = sampleOf(run);
    const later = ((missed + HALF) / lasting) * Math.exp(this.#tail.slope * change);
    return { requests: requests / lasting, missed: Math.max(0, later - HALF) };
  }

  /** Costs no work if an equal run is known. */
  #simulate(choice: SurrogateChoice, fraction: number): Run {
    const key = runKey(choice, fraction);
    const runs = this.#runs.get(key) ?? [];
    const same = runs.find((run) => isSameRun(run, choice));
    if (same !== undefined) return same;
    const { peaks, lowFraction = 0, ...verdict } = this.#simulation(choice, fraction);
    this.#work += fraction;
    if (peaks !== undefined) this.#runs.set(key, [...runs, { choice, peaks, lowFraction, verdict }]);
    return { lowFraction, verdict };
  }

  /** True if it has an option that no run had. */
  isNew(expected: ExpectedChoice): boolean {
    return !this.#looks.has(expected.key) && this.model.hasUnknown(expected.tracked);
  }

  /** Judges until decided: by full verification, or by a quick look that shows a miss. */
  verdict(choice: SurrogateChoice): PlanVerification {
    const expected = this.expect(choice);
    for (;;) {
      const verdict = this.judge(expected);
      if (this.holds(expected.key) !== undefined) return verdict;
    }
  }

  #decide({ key, choice }: ExpectedChoice, verdict: PlanVerification): void {
    this.#verdicts.set(key, verdict);
    if (showsSloMet(verdict)) this.#held.push({ choice, verdict });
  }

  /** Skips a full verification that probably can neither accept nor reject: a longer run would decide anyway. */
  #nextRun(expected: ExpectedChoice): (typeof RUNS)[number] {
    const next = RUNS[this.#looks.get(expected.key)?.next ?? 0] as (typeof RUNS)[number];
    const { ratio, evidence } = this.#predict(expected);
    if (next !== FULL || evidence === undefined) return next;
    const inTime = chanceBelow(Math.log(CLEAR), this.#relativeToSlo(expected, ratio));
    const idle = inTime * (1 - chanceConclusive(evidence, FULL.fraction));
    return idle > 1 - FULL.fraction / RERUN.fraction ? RERUN : FULL;
  }

  timesOf(stage: number, option: StageOption): ExpectedTimes {
    const before = this.#times.get(option);
    if (before !== undefined) return before;
    const prepared = this.#prepared.stages[stage];
    const times = prepared === undefined ? { meanMs: 0, spreadMs: 0, vague: false } : expectedTimes(prepared, option);
    this.#times.set(option, times);
    return times;
  }

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
    return { choice, key: choiceKey(choice), latencyMs, tracked: new TrackedSum(effects) };
  }

  /** −ln(1 − load factor) of the busiest stage. Queueing estimates err more as it grows. */
  #congestion(choice: SurrogateChoice): number {
    const least = choice.reduce((spare, { option }, s) => {
      const stage = this.#prepared.stages[s];
      return stage === undefined ? spare : Math.min(spare, 1 - plannedRps(stage.load) / option.capacityRps);
    }, 1);
    return Math.min(MOST_CONGESTION, -Math.log(Math.max(1e-9, least)));
  }

  chance(expected: ExpectedChoice): Chance {
    const last = this.#looks.get(expected.key);
    const { ratio, evidence } = this.#predict(expected);
    const decidedBy = (fraction: number): number => (evidence === undefined ? 1 : chanceConclusive(evidence, fraction));
    const keptBy = (fraction: number, sample: Sample | undefined): number =>
      sample === undefined || evidence === undefined
        ? 1
        : relativeChanceShown(this.#neededFraction, sample, this.#needed * fraction * Math.exp(evidence.mean));
    const own = last && sampleOf(last);
    const decided = decidedBy(RERUN.fraction);
    const kept = keptBy(RERUN.fraction, own);
    const full = this.#inconclusive(expected.key);
    if (full !== undefined) {
      const pooled = keptBy(RERUN.fraction, this.#pooled(expected, full, ratio));
      const holds = isBelow(full.verdict) ? 0 : decided * ((1 - WRONG) * pooled + WRONG * kept);
      return { holds, perWork: holds / RERUN.fraction };
    }
    const predicted = this.#relativeToSlo(expected, ratio);
    const chance = this.#chanceInTime(predicted, evidence);
    const byModel = last === undefined ? 1 : Math.max(EQUALLY, 1 - this.#lasting(last, ratio.deviation));
    const holds = decided * chance ** byModel * kept ** (1 - byModel);
    const { mean: margin, deviation: open } = this.#margin;
    const below = chanceBelow(margin, predicted, open);
    const soon = Math.min(holds, decidedBy(FULL.fraction) * keptBy(FULL.fraction, own), below);
    return { holds, perWork: soon + (holds - soon) / RERUN.fraction };
  }

  /** Prediction of log(latency ÷ SLO). */
  #relativeToSlo({ latencyMs }: ExpectedChoice, { mean, deviation }: Predicted): PredictedChoice {
    return {
      mean: Math.log(latencyMs / this.#prepared.sloMs) + mean,
      deviation: Math.hypot(deviation, this.#remainder.deviation),
      vaguer: WIDER * Math.hypot(deviation, RESIDUAL),
    };
  }

  /** Probability that the latency of a longest run is far enough below the SLO to show that it is met. */
  #chanceInTime(predicted: PredictedChoice, evidence: Predicted | undefined): number {
    const clear = Math.log(CLEAR);
    const margin = evidence === undefined ? 0 : this.#marginOf(RERUN.fraction * Math.exp(evidence.mean));
    const open = margin < clear ? margin * this.#tail.uncertainty : 0;
    const { mean, deviation, vaguer } = predicted;
    const byModel = (Math.min(clear, margin) - this.#remainder.shift - mean) / Math.hypot(deviation, open);
    return (1 - WRONG) * normalCdf(byModel) + WRONG * normalCdf((clear - mean) / vaguer);
  }

  /** Largest log(latency ÷ SLO) at which a run worth `runs` times the needed requests shows that the SLO is met. */
  #marginOf(runs: number): number {
    return Math.log(1 - 1 / Math.sqrt(Math.max(LEAST_RUNS, runs))) / this.#tail.slope;
  }

  /** Standard deviation of the log of the latency. */
  deviation(expected: ExpectedChoice): number {
    return Math.hypot(this.#predict(expected).ratio.deviation, RESIDUAL);
  }

  #predict({ tracked }: ExpectedChoice): Prediction {
    return this.model.predict(tracked);
  }

  #observe(
    { effects, latencyMs }: { readonly effects: Effects; readonly latencyMs: number },
    made: Run,
    { fraction, noise }: (typeof RUNS)[number],
  ): void {
    const { verdict } = made;
    if (!(verdict.latencyMs > 0)) return;
    const logRatio = logRatioOf(made, { latencyMs });
    const requests = requestsOf(made);
    const logEvidence = requests > 0 ? Math.log(requests / fraction / this.#needed) : undefined;
    this.model.observe(effects, { logRatio, logEvidence, noise: Math.hypot(noise, RESIDUAL) });
  }

  get #neededFraction(): number {
    return this.#prepared.spec.slo.percentile / 100;
  }

  /** Requests that a conclusive run must at least be worth. */
  get #needed(): number {
    return neededRequests(this.#prepared.spec.slo.percentile);
  }
}

/** `open`: standard deviation of the limit. */
function chanceBelow(limit: number, { mean, deviation, vaguer }: PredictedChoice, open = 0): number {
  const byModel = normalCdf((limit - mean) / Math.hypot(deviation, open));
  return (1 - WRONG) * byModel + WRONG * normalCdf((limit - mean) / Math.hypot(vaguer, WIDER * open));
}

/** Normal distribution function by a logistic approximation, within 2e-4. */
const normalCdf = (z: number): number => 1 / (1 + Math.exp(-1.5976 * z - 0.070566 * z ** 3));

const withLook = ({ keys, weights, deviations }: Effects, level: number): Effects => ({
  keys: [...keys, `look ${level}`],
  weights: Float64Array.of(...weights, 1),
  deviations: Float64Array.of(...deviations, PRIOR.look),
});

/** Probability that a run of this length is worth the needed requests. */
const chanceConclusive = ({ mean, deviation }: Predicted, fraction: number): number =>
  normalCdf((mean + Math.log(fraction)) / Math.hypot(deviation, EVIDENCE_RESIDUAL));

/** Independent requests that a run without late requests must be worth to be conclusive. */
const neededRequests = (percentile: number): number => (Z_99 ** 2 * percentile) / (100 - percentile);

/** Independent requests that a run is worth, by its score interval; 0 if unknown. Late requests cluster near capacity. */
const requestsOf = ({ verdict: { sloAttainmentFraction }, lowFraction }: Run): number =>
  (Z_99 ** 2 * lowFraction * (1 - lowFraction)) / Math.max(1e-9, sloAttainmentFraction - lowFraction) ** 2;

function sampleOf(run: Run): Sample {
  const requests = Math.max(1, requestsOf(run));
  return { requests, missed: (1 - run.verdict.sloAttainmentFraction) * requests };
}

/** log(simulated ÷ expected latency), bounded. */
function logRatioOf({ verdict }: Run, { latencyMs }: Pick<ExpectedChoice, 'latencyMs'>): number {
  return Math.max(-MOST_LOG_RATIO, Math.min(MOST_LOG_RATIO, Math.log(verdict.latencyMs / latencyMs)));
}

/**
 * `chanceShown` given a run, divided by that of a run of this length without late requests. Such a run, if short, shows
 * little, but nothing against the choice.
 */
function relativeChanceShown(neededFraction: number, { requests, missed }: Sample, longer: number): number {
  const most = chanceShown(neededFraction, { requests, missed: 0 }, longer);
  return most > 0 ? chanceShown(neededFraction, { requests, missed }, longer) / most : 0;
}

/**
 * Probability that a run worth `longer` requests shows that the SLO is met, given a run worth `requests` with `missed`
 * late ones.
 */
function chanceShown(neededFraction: number, { requests, missed }: Sample, longer: number): number {
  const deviation = Math.sqrt((neededFraction * (1 - neededFraction)) / longer);
  const allowed = (1 - neededFraction - Z_99 * deviation) * requests;
  const expected = missed + HALF;
  return normalCdf((allowed - expected) / Math.sqrt(expected * (1 + requests / longer)));
}

/** The key has the total cores, because they bound parallel work. */
function runKey(choice: SurrogateChoice, fraction: number): string {
  const cores = choice.reduce((sum, { option }) => sum + option.use[0], 0);
  const kinds = choice.map(({ option }) => `${option.variantIndex}/${option.resources.cpuCores}`);
  return [fraction, Math.ceil(cores), ...kinds].join(' ');
}

/** Two runs are equal if only unreached batch bounds and unused replicas differ. */
const isSameRun = ({ choice: before, peaks }: KnownRun, choice: SurrogateChoice): boolean =>
  choice.every(({ option: { maxBatchSize, replicas } }, s) => {
    const of = (before[s] as SurrogateChoice[number]).option;
    const peak = peaks[s] as StagePeak;
    const sameBatches =
      maxBatchSize === of.maxBatchSize || (peak.batchSize < of.maxBatchSize && peak.batchSize <= maxBatchSize);
    return sameBatches && (replicas === of.replicas || (peak.replicas < of.replicas && peak.replicas < replicas));
  });

const isBelow = ({ sloAttainmentFraction, percentile }: PlanVerification): boolean =>
  sloAttainmentFraction < percentile / 100;

const isMiss = (look: PlanVerification): boolean => look.conclusive && !showsSloMet(look);

function effectKeys(
  stage: number,
  { variantIndex, resources, maxBatchSize, replicas }: StageOption,
): readonly string[] {
  const variant = `${stage}:${variantIndex}`;
  const shape = `${variant}/${resources.cpuCores}/${maxBatchSize}`;
  return [variant, shape, `${shape}x${replicas}`];
}

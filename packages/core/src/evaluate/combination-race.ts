/**
 * Successive elimination of combinations (racing; Maron and Moore 1993): blocks of samples, in random order, run through
 * the combinations that still compete. After each block a paired bootstrap compares every two of them. A combination
 * is dropped if one that costs no more is more accurate with confidence. A combination needs no more samples if its order
 * to all others is certain, and its accuracy is as certain as the objective needs. The last combination that is left
 * runs on all samples. The race estimates scores of the whole sample set, so errors vanish as the samples end (finite
 * population correction).
 */
import { meanOf } from '../kernel/count-statistics.js';
import { normalQuantile } from '../kernel/normal-quantile.js';
import { type Rng, SeededRng } from '../kernel/rng.js';
import type { Objective } from '../model/pipeline-spec.js';
import {
  type BootstrapScores,
  bootstrapScores,
  drawResamples,
  type IntervalInput,
  intervalOf,
  spreadOf,
} from './bootstrap.js';

export interface RaceInput {
  readonly sampleCount: number;
  /** By combination: costs that the planner could weigh. A combination can replace another if no cost is higher. */
  readonly costs: readonly (readonly number[])[];
  /**
   * Probability with which the order of two combinations has to be certain. Undefined: all samples run through all
   * combinations, in their order.
   */
  readonly confidence: number | undefined;
  /** `max-accuracy` needs only the order of the combinations; other objectives use the accuracy itself. */
  readonly objective: Objective;
  readonly seed: number;
  /** `ScoreOf` of one combination. Called with samples that were run. */
  readonly scoreOf: (combination: number, samples: readonly number[]) => number;
}

/** Samples to run through combinations, both by number. */
export interface RaceBlock {
  readonly samples: readonly number[];
  readonly combinations: readonly number[];
}

export interface RaceResult {
  /** Estimate for all samples that the race used; NaN if the score is undefined. */
  readonly accuracy: number;
  readonly confidence95: readonly [number, number];
  readonly samples: number;
  /** `undecided`: the race ended before the order to all others and the accuracy were certain enough. */
  readonly verdict: 'kept' | 'dropped' | 'undecided';
  /** Combination that costs no more and is more accurate. */
  readonly droppedFor?: number;
}

const FIRST_FRACTION = 0.05;
const LEAST_FIRST = 16;
const GROWTH = 1.25;
const Z_95 = normalQuantile(0.975);
/** Maximum half-width of the 95 % interval of an accuracy that is weighed against costs. */
const WEIGHED_WITHIN = 0.01;

interface Round {
  readonly samples: number;
  /** By combination; undefined if it did not run. */
  readonly scores: readonly (BootstrapScores | undefined)[];
}

/** Movement of the mean score of the combinations that ran in a round and in the next one. */
interface Movement {
  /** By resample: their mean score in an earlier round. */
  readonly reference: readonly number[];
  readonly by: number;
}

/** Call `next`, run the block and call `finish`, until `next` returns undefined. */
export class CombinationRace {
  readonly #input: RaceInput;
  readonly #order: readonly number[];
  readonly #rounds: Round[] = [];
  readonly #droppedFor: (number | undefined)[];
  /** By pair of combinations: true if their order is certain. */
  readonly #certain: readonly Uint8Array[];
  /** By combination: true if its accuracy is as certain as the objective needs. */
  readonly #accurate: boolean[];
  #done = 0;

  constructor(input: RaceInput) {
    this.#input = input;
    const numbers = Array.from({ length: input.sampleCount }, (_, number) => number);
    this.#order = input.confidence === undefined ? numbers : shuffled(numbers, new SeededRng(input.seed).fork('order'));
    this.#droppedFor = input.costs.map(() => undefined);
    this.#certain = input.costs.map(() => new Uint8Array(input.costs.length));
    this.#accurate = input.costs.map(() => false);
  }

  next(): RaceBlock | undefined {
    const { sampleCount, confidence } = this.#input;
    const combinations = this.#running();
    if (this.#done >= sampleCount || combinations.length === 0) return undefined;
    const first =
      confidence === undefined ? sampleCount : Math.max(LEAST_FIRST, Math.ceil(FIRST_FRACTION * sampleCount));
    const until = Math.min(sampleCount, this.#done === 0 ? first : Math.ceil(this.#done * GROWTH));
    return { samples: this.#order.slice(this.#done, until), combinations };
  }

  /** `samplesDone`: number of samples of the block that ran. */
  finish({ combinations }: RaceBlock, samplesDone: number): void {
    this.#done += samplesDone;
    const { costs, sampleCount, confidence, objective, seed, scoreOf } = this.#input;
    const samples = this.#order.slice(0, this.#done);
    const resamples = drawResamples(samples, new SeededRng(seed));
    const running = new Set(combinations);
    const scores = costs.map((_, c) =>
      running.has(c) ? bootstrapScores(samples, resamples, (numbers) => scoreOf(c, numbers)) : undefined,
    );
    this.#rounds.push({ samples: this.#done, scores });
    if (confidence === undefined) return;
    const error = {
      samples: this.#done,
      z: normalQuantile((1 + confidence) / 2),
      unseenFraction: 1 - this.#done / sampleCount,
    };
    for (const c of combinations) this.#accurate[c] = isAccurate(objective, scores[c] as BootstrapScores, error);
    for (const [position, a] of combinations.entries())
      for (const b of combinations.slice(position + 1)) {
        if (this.#certain[a]?.[b] === 1) continue;
        const order = certainOrder(scores[a] as BootstrapScores, scores[b] as BootstrapScores, error);
        if (order > 0) this.#settle(a, b);
        else if (order < 0) this.#settle(b, a);
      }
  }

  results(): readonly RaceResult[] {
    const open = new Set(this.#done >= this.#input.sampleCount ? [] : this.#open());
    const movements = this.#rounds.map((_, last) => this.#movementsSince(last));
    return this.#input.costs.map((_, c) => {
      const droppedFor = this.#droppedFor[c];
      const verdict = droppedFor !== undefined ? 'dropped' : open.has(c) ? 'undecided' : 'kept';
      return { ...this.#estimate(c, movements), verdict, ...(droppedFor !== undefined && { droppedFor }) };
    });
  }

  #alive(): readonly number[] {
    return this.#droppedFor.flatMap((better, c) => (better === undefined ? [c] : []));
  }

  /** Combinations with an uncertain order or accuracy. */
  #open(): readonly number[] {
    const alive = this.#alive();
    return alive.filter((a) => this.#accurate[a] !== true || alive.some((b) => a !== b && this.#certain[a]?.[b] !== 1));
  }

  #running(): readonly number[] {
    const alive = this.#alive();
    return this.#done === 0 || alive.length === 1 ? alive : this.#open();
  }

  #settle(better: number, worse: number): void {
    (this.#certain[better] as Uint8Array)[worse] = 1;
    (this.#certain[worse] as Uint8Array)[better] = 1;
    const { costs } = this.#input;
    if (costs[better]?.every((cost, kind) => cost <= (costs[worse]?.[kind] as number)))
      this.#droppedFor[worse] ??= better;
  }

  /**
   * Regression estimate. Further samples move the mean score of the combinations that continued. This movement, times
   * a slope, is added to the last score of the combination. So combinations with different samples compare fairly.
   */
  #estimate(
    combination: number,
    movements: readonly (readonly Movement[])[],
  ): Pick<RaceResult, 'accuracy' | 'confidence95' | 'samples'> {
    const last = this.#rounds.findLastIndex(({ scores }) => scores[combination] !== undefined);
    const own = this.#rounds[last]?.scores[combination];
    if (own === undefined) return { accuracy: 0, confidence95: [0, 1], samples: 0 };
    let moved = 0;
    for (const { reference, by } of movements[last] ?? []) moved += slopeOf(own.resampled, reference) * by;
    const inRange = (value: number) => Math.min(1, Math.max(0, value));
    const samples = this.#rounds[last]?.samples ?? 0;
    const [low, high] = intervalOf(own, { samples, z: Z_95, unseenFraction: 1 });
    return {
      accuracy: inRange(own.score + moved),
      confidence95: [inRange(low + moved), inRange(high + moved)],
      samples,
    };
  }

  /** Movements from round `last` to the last one. */
  #movementsSince(last: number): readonly Movement[] {
    const at = (this.#rounds[last] as Round).scores;
    return this.#rounds.slice(last + 1).map((after, further) => {
      const before = this.#rounds[last + further] as Round;
      const moves = after.scores.map(
        (score, c) => (score?.score ?? Number.NaN) - (before.scores[c]?.score ?? Number.NaN),
      );
      const both = at.filter((_, c) => !Number.isNaN(moves[c])) as readonly BootstrapScores[];
      const reference = (at.find((score) => score !== undefined)?.resampled ?? []).map((_, r) =>
        definedMean(both.map(({ resampled }) => resampled[r] as number)),
      );
      return { reference, by: definedMean(moves) };
    });
  }
}

const definedMean = (values: readonly number[]): number => meanOf(values.filter((value) => !Number.isNaN(value)));

/** `min-cost` needs to know whether the accuracy reaches the floor, `weights` how large it is. */
function isAccurate(objective: Objective, scores: BootstrapScores, error: IntervalInput): boolean {
  if (objective.kind === 'max-accuracy') return true;
  if (objective.kind === 'min-cost') {
    const [low, high] = intervalOf(scores, error);
    return objective.accuracyFloor <= low || objective.accuracyFloor > high;
  }
  const [low, high] = intervalOf(scores, { ...error, z: Z_95 });
  return high - low <= 2 * WEIGHED_WITHIN;
}

function shuffled(numbers: number[], rng: Rng): readonly number[] {
  for (let last = numbers.length - 1; last > 0; last--) {
    const other = Math.floor(rng.next() * (last + 1));
    [numbers[last], numbers[other]] = [numbers[other] as number, numbers[last] as number];
  }
  return numbers;
}

/**
 * 1 if `a` scores higher than `b` with confidence, −1 if lower, else 0. The weight of one sample is added to the standard
 * error, because a few equal differences show no spread.
 */
function certainOrder(a: BootstrapScores, b: BootstrapScores, { samples, z, unseenFraction }: IntervalInput): number {
  const difference = a.score - b.score;
  const differences = a.resampled.map((score, r) => score - (b.resampled[r] as number));
  const { variance, counted } = spreadOf(differences, samples) ?? { variance: Number.NaN, counted: 0 };
  const standardError = Math.sqrt((variance + 1 / counted ** 2) * unseenFraction);
  return Math.abs(difference) > z * standardError ? Math.sign(difference) : 0;
}

/** Least-squares slope of `values` over `reference`, 0…1. */
function slopeOf(values: readonly number[], reference: readonly number[]): number {
  const [valueMean, referenceMean] = [definedMean(values), meanOf(reference)];
  const products = values.map((value, i) => (value - valueMean) * ((reference[i] as number) - referenceMean));
  const covariance = definedMean(products);
  const variance = meanOf(reference.map((value) => (value - referenceMean) ** 2));
  return variance === 0 ? 0 : Math.min(1, Math.max(0, covariance / variance));
}

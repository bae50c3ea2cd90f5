/**
 * Successive elimination of combinations (racing; Maron and Moore 1993): blocks of samples, in random order, run through
 * the combinations that still compete. After each block a paired bootstrap compares every two of them. A combination
 * is dropped if one that costs no more is more accurate with confidence. A combination whose order to all others is
 * certain needs no more samples. What is estimated is the order on the whole sample set, so the errors vanish
 * as the samples end (finite population correction).
 */
import { meanOf } from '../kernel/count-statistics.js';
import { normalQuantile } from '../kernel/normal-quantile.js';
import { type Rng, SeededRng } from '../kernel/rng.js';
import { type BootstrapScores, bootstrapScores, drawResamples, interval95 } from './bootstrap.js';

export interface RaceInput {
  readonly sampleCount: number;
  /** By combination: costs that the planner could weigh. A combination can replace another if no cost is higher. */
  readonly costs: readonly (readonly number[])[];
  /**
   * Probability with which the order of two combinations has to be certain. Undefined: all samples run through all
   * combinations, in their order.
   */
  readonly confidence: number | undefined;
  readonly seed: number;
  /** Score of one combination on samples by number: a fraction 0…1. Called with samples that were run. */
  readonly scoreOf: (combination: number, samples: readonly number[]) => number;
}

/** Samples to run through combinations, both by number. */
export interface RaceBlock {
  readonly samples: readonly number[];
  readonly combinations: readonly number[];
}

export interface RaceResult {
  /** Estimate for all samples that the race used. */
  readonly accuracy: number;
  readonly confidence95: readonly [number, number];
  readonly samples: number;
  /** `undecided`: the race ended before the order to all others was certain. */
  readonly verdict: 'kept' | 'dropped' | 'undecided';
  /** Combination that costs no more and is more accurate. */
  readonly droppedFor?: number;
}

const FIRST_FRACTION = 0.05;
const LEAST_FIRST = 16;
const GROWTH = 1.25;

interface Round {
  readonly samples: number;
  /** By combination; undefined if it did not run. */
  readonly scores: readonly (BootstrapScores | undefined)[];
}

/** Call `next`, run the block and call `finish`, until `next` returns undefined. */
export class CombinationRace {
  readonly #input: RaceInput;
  readonly #order: readonly number[];
  readonly #rounds: Round[] = [];
  readonly #droppedFor: (number | undefined)[];
  /** By pair of combinations: true if their order is certain. */
  readonly #certain: readonly Uint8Array[];
  #done = 0;

  constructor(input: RaceInput) {
    this.#input = input;
    const numbers = Array.from({ length: input.sampleCount }, (_, number) => number);
    this.#order = input.confidence === undefined ? numbers : shuffled(numbers, new SeededRng(input.seed).fork('order'));
    this.#droppedFor = input.costs.map(() => undefined);
    this.#certain = input.costs.map(() => new Uint8Array(input.costs.length));
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

  /** `samplesDone`: how many samples of the block ran. */
  finish({ combinations }: RaceBlock, samplesDone: number): void {
    this.#done += samplesDone;
    const { costs, sampleCount, confidence, seed, scoreOf } = this.#input;
    const samples = this.#order.slice(0, this.#done);
    const resamples = drawResamples(samples, new SeededRng(seed));
    const running = new Set(combinations);
    const scores = costs.map((_, c) =>
      running.has(c) ? bootstrapScores(samples, resamples, (numbers) => scoreOf(c, numbers)) : undefined,
    );
    this.#rounds.push({ samples: this.#done, scores });
    if (confidence === undefined) return;
    const error = { samples: this.#done, sampleCount, z: normalQuantile((1 + confidence) / 2) };
    for (const [position, a] of combinations.entries())
      for (const b of combinations.slice(position + 1)) {
        if (this.#certain[a]?.[b] === 1) continue;
        const order = certainOrder(scores[a] as BootstrapScores, scores[b] as BootstrapScores, error);
        if (order > 0) this.#settle(a, b);
        else if (order < 0) this.#settle(b, a);
      }
  }

  results(): readonly RaceResult[] {
    const running = new Set(this.#done >= this.#input.sampleCount ? [] : this.#running());
    return this.#input.costs.map((_, c) => {
      const droppedFor = this.#droppedFor[c];
      const verdict = droppedFor !== undefined ? 'dropped' : running.has(c) ? 'undecided' : 'kept';
      return { ...this.#estimate(c), verdict, ...(droppedFor !== undefined && { droppedFor }) };
    });
  }

  /** Combinations with an uncertain order to another one; at first all. */
  #running(): readonly number[] {
    const alive = this.#droppedFor.flatMap((better, c) => (better === undefined ? [c] : []));
    if (this.#done === 0) return alive;
    return alive.filter((a) => alive.some((b) => a !== b && this.#certain[a]?.[b] !== 1));
  }

  #settle(better: number, worse: number): void {
    (this.#certain[better] as Uint8Array)[worse] = 1;
    (this.#certain[worse] as Uint8Array)[better] = 1;
    const { costs } = this.#input;
    if (costs[better]?.every((cost, kind) => cost <= (costs[worse]?.[kind] as number)))
      this.#droppedFor[worse] ??= better;
  }

  /**
   * Regression estimate: the score at the last sample of the combination, moved as the mean of the combinations that
   * ran on moved with the further samples. So combinations with different samples compare fairly.
   */
  #estimate(combination: number): Pick<RaceResult, 'accuracy' | 'confidence95' | 'samples'> {
    const last = this.#rounds.findLastIndex(({ scores }) => scores[combination] !== undefined);
    const own = this.#rounds[last]?.scores[combination];
    if (own === undefined) return { accuracy: 0, confidence95: [0, 1], samples: 0 };
    let moved = 0;
    for (let round = last; round + 1 < this.#rounds.length; round++) {
      const [before, after] = [this.#rounds[round] as Round, this.#rounds[round + 1] as Round];
      const both = before.scores.flatMap((score, c) => {
        const later = after.scores[c];
        return score === undefined || later === undefined ? [] : [{ at: this.#rounds[last]?.scores[c], score, later }];
      });
      const reference = own.resampled.map((_, r) => meanOf(both.map(({ at }) => at?.resampled[r] ?? 0)));
      moved += slopeOf(own.resampled, reference) * meanOf(both.map(({ score, later }) => later.score - score.score));
    }
    const inRange = (value: number) => Math.min(1, Math.max(0, value));
    const [low, high] = interval95(own);
    const samples = this.#rounds[last]?.samples ?? 0;
    return {
      accuracy: inRange(own.score + moved),
      confidence95: [inRange(low + moved), inRange(high + moved)],
      samples,
    };
  }
}

function shuffled(numbers: number[], rng: Rng): readonly number[] {
  for (let last = numbers.length - 1; last > 0; last--) {
    const other = Math.floor(rng.next() * (last + 1));
    [numbers[last], numbers[other]] = [numbers[other] as number, numbers[last] as number];
  }
  return numbers;
}

/**
 * 1 if `a` scores higher than `b` with confidence, −1 if lower, else 0. The standard error of the difference includes
 * one sample, because a few equal differences show no spread.
 */
function certainOrder(
  a: BootstrapScores,
  b: BootstrapScores,
  error: { readonly samples: number; readonly sampleCount: number; readonly z: number },
): number {
  const { samples, sampleCount, z } = error;
  const difference = a.score - b.score;
  const resampled = a.resampled.map((score, r) => score - (b.resampled[r] as number));
  const mean = meanOf(resampled);
  const variance = resampled.reduce((sum, each) => sum + (each - mean) ** 2, 0) / (resampled.length - 1);
  const standardError = Math.sqrt((variance + 1 / samples ** 2) * (1 - samples / sampleCount));
  return Math.abs(difference) > z * standardError ? Math.sign(difference) : 0;
}

/** Least-squares slope of `values` over `reference`, 0…1. */
function slopeOf(values: readonly number[], reference: readonly number[]): number {
  const [valueMean, referenceMean] = [meanOf(values), meanOf(reference)];
  const covariance = meanOf(values.map((value, i) => (value - valueMean) * ((reference[i] as number) - referenceMean)));
  const variance = meanOf(reference.map((value) => (value - referenceMean) ** 2));
  return variance === 0 ? 0 : Math.min(1, Math.max(0, covariance / variance));
}

/**
 * Sequential test for a lower accuracy. It takes scores of answers (0…1, more is better) one by one, and
 * finds when their mean has fallen below the measured accuracy, or the one learned from earlier scores.
 *
 * With loss y = 1 − score and the largest expected loss b, a bet λ has the factor 1 + λ (y − b). If the mean loss is
 * at most b, the mean factor is at most 1. The evidence R ← (R + 1) × factor then exceeds c within T scores with a probability of at
 * most T ÷ c: R − t is a supermartingale, so Doob's inequality holds. R starts a bet at every score, so it finds a
 * change at any time. Sources: Roberts 1966; Shin, Ramdas and Rinaldo, E-detectors, 2024.
 *
 * Errors often come in bursts, so that a score says less than an independent one. The factor to the power 1/φ takes this
 * into account, with the dispersion φ ≥ 1 of block sums. Its mean stays at most 1 (Jensen).
 */

import { wilsonInterval } from '../../kernel/wilson-interval.js';
import { measuredCombination } from '../../model/accuracy-table.js';
import type { StageId, VariantId } from '../../model/ids.js';
import type { PipelineSpec } from '../../model/pipeline-spec.js';
import { variantOfChoice } from '../../model/threshold.js';

/** `confidence95` is the interval of the measurement; absent if it is not known. */
export interface ExpectedAccuracy {
  readonly accuracy: number;
  readonly confidence95?: readonly [number, number] | undefined;
}

/** Mean of the newest scores, with a 95 % interval that allows for bursts. */
export interface SeenAccuracy {
  readonly accuracy: number;
  readonly confidence95: readonly [number, number];
  readonly scores: number;
}

/** `leastExpected` is the accuracy below which `seen` fell; `sinceMs` is the estimated time of the change. */
export interface AccuracyDrop {
  readonly seen: SeenAccuracy;
  readonly leastExpected: number;
  readonly sinceMs: number;
}

/** At most one false alarm in a hundred runs of 20,000 scores. */
const LEAST_EVIDENCE = 20_000 / 0.01;
/** With more evidence, the test does not learn: the accuracy may have changed. */
const MOST_DOUBT = LEAST_EVIDENCE / 100;
/** Rises of the loss that the bets suit best. */
const RISES = [0.05, 0.2];
/** Differences that do not count, such as those of other hours. */
const TOLERANCE = 0.01;
/** Standard errors of a learned accuracy. */
const Z = 2;
const Z_975 = 1.96;
const BLOCK = 50;
/** Newest blocks, from which the test does not learn yet: they may follow a change that it has not found. */
const NEWEST = 40;
/** Scores from which a learned accuracy counts, and those that it remembers. */
const [FEWEST_LEARNED, MOST_LEARNED] = [500, 20_000];
/** Dispersion before any is known, and its weight in blocks. */
const PRIOR = { dispersion: 2, blocks: 5 };
/** Newest blocks whose mean shows a recovery. */
const RECOVERY = 20;

export class AccuracyTest {
  /**
   * Expects the measured accuracy of the choice or, of a pipeline with one model stage, the declared one. Products of
   * declared accuracies are too inexact. A metric whose score of a set is not the mean of its answers, such as F1, is no
   * expectation for that mean.
   */
  static of(
    { accuracyTable, stages, evaluation }: Pick<PipelineSpec, 'accuracyTable' | 'stages' | 'evaluation'>,
    choice: Readonly<Record<StageId, VariantId>>,
  ): AccuracyTest {
    const { kind: metric = 'accuracy' } = evaluation?.metric ?? {};
    if (metric !== 'accuracy' && metric !== 'top-k') return new AccuracyTest();
    const combination = measuredCombination(accuracyTable, choice);
    if (combination !== undefined && combination.measured !== false) return new AccuracyTest(combination);
    const [model, ...others] = stages.filter(({ kind }) => kind === 'model');
    const chosen = model && choice[model.id];
    const declared = chosen && model.variants.find(({ id }) => id === variantOfChoice(chosen))?.accuracy;
    return new AccuracyTest(others.length > 0 || declared === undefined ? undefined : { accuracy: declared.value });
  }

  readonly #expected: ExpectedAccuracy | undefined;
  readonly #evidence = RISES.map(() => 0);
  readonly #newest: number[] = [];
  #learned: LossCount = { loss: 0, scores: 0 };
  #open = { loss: 0, scores: 0 };
  readonly #dispersion = new Dispersion();
  #largestLoss: number;
  /** Largest log-likelihood of a change, and the scores since that change. */
  #change = noChange();
  #blocksSinceDrop: number | undefined;

  /** Without an expected accuracy, the test begins after it has learned one: from the first 2,500 scores. */
  constructor(expected?: ExpectedAccuracy) {
    this.#expected = expected;
    this.#largestLoss = this.#bound();
  }

  /** Lowest accuracy that counts as expected; undefined until one is known. */
  get leastExpected(): number | undefined {
    return this.#largestLoss < 1 ? 1 - this.#largestLoss : undefined;
  }

  /** Undefined before the first score. */
  get seen(): SeenAccuracy | undefined {
    const loss = sumOf(this.#newest) + this.#open.loss;
    const scores = this.#newest.length * BLOCK + this.#open.scores;
    return scores === 0 ? undefined : this.#seenOf({ loss, scores });
  }

  /** Undefined while nothing speaks against the expected accuracy, and after a recovery. */
  get drop(): AccuracyDrop | undefined {
    if (this.#blocksSinceDrop === undefined) return undefined;
    return { seen: this.#seenOf(this.#change), leastExpected: 1 - this.#largestLoss, sinceMs: this.#change.sinceMs };
  }

  note(score: number, atMs: number): void {
    const loss = 1 - score;
    if (this.#largestLoss < 1) this.#test(loss, atMs);
    this.#open.loss += loss;
    this.#open.scores += 1;
    if (this.#open.scores === BLOCK) this.#closeBlock();
  }

  #test(loss: number, atMs: number): void {
    this.#followChange(loss, atMs);
    if (this.#blocksSinceDrop !== undefined) return;
    for (const [i, evidence] of this.#evidence.entries())
      this.#evidence[i] = (evidence + 1) * this.#factor(loss, i) ** (1 / this.#dispersion.value);
    if (this.#meanEvidence >= LEAST_EVIDENCE) this.#blocksSinceDrop = 0;
  }

  #followChange(loss: number, atMs: number): void {
    const change = this.#change;
    if (this.#blocksSinceDrop === undefined) {
      change.gain += Math.log(this.#factor(loss, 0));
      if (change.gain <= 0) {
        this.#change = noChange();
        return;
      }
    }
    if (change.scores === 0) change.sinceMs = atMs;
    change.loss += loss;
    change.scores += 1;
  }

  /** Likelihood ratio of a loss that is larger by `RISES[i]`, for scores of 0 and 1. */
  #factor(loss: number, i: number): number {
    const bound = this.#largestLoss;
    const rise = Math.min(RISES[i] as number, (1 - bound) / 2);
    return 1 + (rise / (bound * (1 - bound))) * (loss - bound);
  }

  get #meanEvidence(): number {
    return sumOf(this.#evidence) / RISES.length;
  }

  #closeBlock(): void {
    const { loss } = this.#open;
    this.#open = { loss: 0, scores: 0 };
    this.#dispersion.note(loss);
    this.#newest.push(loss);
    if (this.#newest.length > NEWEST) {
      const oldest = this.#newest.shift() as number;
      if (this.#blocksSinceDrop === undefined && this.#meanEvidence < MOST_DOUBT) this.#learn(oldest);
    }
    if (this.#blocksSinceDrop === undefined) {
      this.#largestLoss = this.#bound();
      return;
    }
    this.#blocksSinceDrop += 1;
    const isOver = sumOf(this.#newest.slice(-RECOVERY)) <= RECOVERY * BLOCK * this.#largestLoss;
    if (this.#blocksSinceDrop >= RECOVERY && isOver) this.#recover();
  }

  #recover(): void {
    this.#blocksSinceDrop = undefined;
    this.#newest.length = 0;
    this.#evidence.fill(0);
    this.#change = noChange();
  }

  #learn(loss: number): void {
    const scores = this.#learned.scores + BLOCK;
    const kept = Math.min(1, MOST_LEARNED / scores);
    this.#learned = { loss: (this.#learned.loss + loss) * kept, scores: scores * kept };
  }

  /** 1 if nothing is expected. */
  #bound(): number {
    const { accuracy = 0, confidence95: [low] = [1] } = this.#expected ?? {};
    const measured = this.#expected === undefined ? 1 : Math.max(1 - low, 1 - accuracy + TOLERANCE);
    const { loss, scores } = this.#learned;
    if (scores < FEWEST_LEARNED) return Math.min(1, measured);
    const { high } = wilsonInterval(loss / scores, scores / this.#dispersion.value, Z);
    return Math.min(1, measured, Math.max(high, loss / scores + TOLERANCE));
  }

  #seenOf({ loss, scores }: LossCount): SeenAccuracy {
    const { low, high } = wilsonInterval(1 - loss / scores, scores / this.#dispersion.value, Z_975);
    return { accuracy: 1 - loss / scores, confidence95: [low, high], scores };
  }
}

const noChange = () => ({ gain: 0, sinceMs: 0, loss: 0, scores: 0 });

interface LossCount {
  readonly loss: number;
  readonly scores: number;
}

/**
 * Variance of block sums ÷ that of independent scores of 0 and 1. Uses differences of successive blocks, so a change of
 * the mean does not count (von Neumann 1941). Minus one standard error, and at least 1.
 */
class Dispersion {
  #squares = 0;
  #loss = 0;
  #blocks = 0;
  #last = 0;
  value = PRIOR.dispersion;

  note(loss: number): void {
    if (this.#blocks > 0) this.#squares += (loss - this.#last) ** 2 / 2;
    this.#last = loss;
    this.#loss += loss;
    this.#blocks += 1;
    const mean = this.#loss / (this.#blocks * BLOCK);
    const independent = BLOCK * mean * (1 - mean);
    const differences = this.#blocks - 1;
    const sum = independent === 0 ? differences : this.#squares / independent;
    const weight = PRIOR.blocks + differences;
    const estimate = (PRIOR.blocks * PRIOR.dispersion + sum) / weight;
    this.value = Math.max(1, estimate - Math.sqrt(3 / weight));
  }
}

const sumOf = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0);

/** Accuracy of each choice of variants in operation, from feedback. Reports when it is lower than expected. */
import {
  type CanaryScores,
  type PipelineSpec,
  quorumsOf,
  type StageId,
  thresholdChoices,
  type VariantId,
  variantOfChoice,
} from '@equipoise/core/model';
import { AccuracyTest } from '@equipoise/core/serve';
import type { VariantChoice } from './served-variants.js';

export interface WatchedAccuracy {
  readonly choice: VariantChoice;
  /** The choice as text, such as `detect=small classify=large`. */
  readonly variants: string;
  readonly test: AccuracyTest;
  scores: number;
  /** Sum of 1 − score. */
  loss: number;
}

/** Sums of each choice at an instant. A choice that was forgotten since begins again. */
export type ScoreSums = ReadonlyMap<WatchedAccuracy, Pick<WatchedAccuracy, 'scores' | 'loss'>>;

/** Beyond it, the choice whose feedback is oldest is forgotten. */
const MOST_CHOICES = 50;

export class AccuracyWatch {
  #spec: PipelineSpec;
  /** Stages that the text of a choice names. */
  #named: readonly StageId[];
  /** Least recently judged first. */
  readonly #watched = new Map<string, WatchedAccuracy>();
  readonly #listeners: (() => void)[] = [];

  constructor(spec: PipelineSpec) {
    this.#spec = spec;
    this.#named = namedStages(spec);
  }

  get all(): readonly WatchedAccuracy[] {
    return [...this.#watched.values()];
  }

  /** Calls `listener` when a drop is found or over. */
  onChange(listener: () => void): void {
    this.#listeners.push(listener);
  }

  /** Begins again if the measured accuracies differ. Declared ones and the metric need a restart. */
  follow(spec: PipelineSpec): void {
    const isSame = JSON.stringify(spec.accuracyTable) === JSON.stringify(this.#spec.accuracyTable);
    this.#spec = spec;
    this.#named = namedStages(spec);
    if (isSame) return;
    this.#watched.clear();
    this.#tell();
  }

  /** `score` is a fraction, more is better. */
  note(choice: VariantChoice, score: number, atMs: number): void {
    const variants = this.#text(choice);
    const watched = this.#watched.get(variants) ?? {
      choice,
      variants,
      test: AccuracyTest.of(this.#spec, choice),
      scores: 0,
      loss: 0,
    };
    this.#watched.delete(variants);
    this.#watched.set(variants, watched);
    const wasLower = watched.test.drop !== undefined;
    watched.scores += 1;
    watched.loss += 1 - score;
    watched.test.note(score, atMs);
    const isChange = wasLower !== (watched.test.drop !== undefined);
    if (this.#forgetOldest() || isChange) this.#tell();
  }

  get sums(): ScoreSums {
    return new Map(this.all.map((each) => [each, { scores: each.scores, loss: each.loss }]));
  }

  /**
   * Scores of new variants of a stage since `before`, for the choice with the most of them. Undefined without scores or
   * without an expected accuracy.
   */
  scoresSince(before: ScoreSums, stageId: StageId, isNew: (variantId: VariantId) => boolean): CanaryScores | undefined {
    let most: CanaryScores | undefined;
    for (const watched of this.#watched.values()) {
      const { choice, test } = watched;
      const chosen = choice[stageId];
      if (chosen === undefined || !isNew(variantOfChoice(chosen)) || test.leastExpected === undefined) continue;
      const earlier = before.get(watched);
      const scores = watched.scores - (earlier?.scores ?? 0);
      if (scores <= (most?.scores ?? 0)) continue;
      most = { scores, loss: watched.loss - (earlier?.loss ?? 0), leastExpected: test.leastExpected };
    }
    return most;
  }

  /** Returns true if it forgot a choice with a drop. */
  #forgetOldest(): boolean {
    const [oldest] = this.#watched.values();
    if (oldest === undefined || this.#watched.size <= MOST_CHOICES) return false;
    this.#watched.delete(oldest.variants);
    return oldest.test.drop !== undefined;
  }

  #text(choice: VariantChoice): string {
    return this.#named.map((id) => `${id}=${choice[id]}`).join(' ');
  }

  #tell(): void {
    for (const listener of this.#listeners) listener();
  }
}

/** Stages with a choice of variants, thresholds, quorums or omission; all stages if none has a choice. */
function namedStages(spec: PipelineSpec): readonly StageId[] {
  const chosen = spec.stages.filter(
    ({ id, variants, optional }) =>
      variants.length > 1 || optional || thresholdChoices(spec, id).length > 0 || quorumsOf(spec, id).length > 0,
  );
  return (chosen.length > 0 ? chosen : spec.stages).map(({ id }) => id);
}

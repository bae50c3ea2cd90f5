/** Agreement of each variant with the shadow of its stage. Reports when it is lower than expected. */
import type {
  AccuracyTable,
  CanaryScores,
  PipelineSpec,
  StageId,
  StageSpec,
  TensorMap,
  VariantId,
} from '@equipoise/core/model';
import { AccuracyTest, type ExpectedAccuracy } from '@equipoise/core/serve';

export interface WatchedAgreement {
  readonly stageId: StageId;
  readonly variantId: VariantId;
  readonly shadowId: VariantId;
  readonly test: AccuracyTest;
  /** Number and sum of 1 − score of compared items. */
  scores: number;
  loss: number;
  /** Items that the shadow failed to run, or whose answers could not be compared. */
  failed: number;
  /** Items that were not compared because the shadow was busy or away. */
  skipped: number;
}

/** Answer of the serving variant. In a canary, the new variant `isNew`. */
export interface ShadowedItem {
  readonly variantId: VariantId;
  readonly isNew: () => boolean;
  readonly input: TensorMap;
  readonly output: TensorMap;
}

/** Takes a copy of some items, and compares their answers. */
export interface ItemShadows {
  readonly agreement: AgreementWatch;
  offer(stageId: StageId, item: ShadowedItem): void;
}

/** Sums of a variant at an instant. */
export type AgreementSums = ReadonlyMap<WatchedAgreement, Pick<WatchedAgreement, 'scores' | 'loss'>>;

export class AgreementWatch {
  readonly #watched: readonly WatchedAgreement[];
  readonly #listeners: (() => void)[] = [];

  constructor({ stages, accuracyTable }: Pick<PipelineSpec, 'stages' | 'accuracyTable'>) {
    this.#watched = stages.flatMap((stage) => {
      const { shadow } = stage;
      if (shadow === undefined) return [];
      const others = stage.variants.filter(({ id }) => id !== shadow.variantId);
      return others.map(({ id }) => ({
        stageId: stage.id,
        variantId: id,
        shadowId: shadow.variantId,
        test: new AccuracyTest(measuredAgreement(accuracyTable, stage, id) ?? leastAgreement(stage, id)),
        ...{ scores: 0, loss: 0, failed: 0, skipped: 0 },
      }));
    });
  }

  /** By stage and variant, without the shadows themselves. */
  get all(): readonly WatchedAgreement[] {
    return this.#watched;
  }

  /** Calls `listener` when a drop is found or over. */
  onChange(listener: () => void): void {
    this.#listeners.push(listener);
  }

  /** Undefined for a shadow and for stages without one. */
  of(stageId: StageId, variantId: VariantId): WatchedAgreement | undefined {
    return this.#watched.find((each) => each.stageId === stageId && each.variantId === variantId);
  }

  /** `score` is 1 if the answers are equal. */
  note(watched: WatchedAgreement, score: number, atMs: number): void {
    const wasLower = watched.test.drop !== undefined;
    watched.scores += 1;
    watched.loss += 1 - score;
    watched.test.note(score, atMs);
    if (wasLower !== (watched.test.drop !== undefined)) for (const listener of this.#listeners) listener();
  }

  get sums(): AgreementSums {
    return new Map(this.#watched.map((each) => [each, { scores: each.scores, loss: each.loss }]));
  }

  /** Comparisons of the new variant since `before`. Undefined without any, or without an expected agreement. */
  scoresSince(
    before: AgreementSums,
    stageId: StageId,
    isNew: (variantId: VariantId) => boolean,
  ): CanaryScores | undefined {
    for (const watched of this.#watched) {
      if (watched.stageId !== stageId || !isNew(watched.variantId)) continue;
      const { leastExpected } = watched.test;
      const earlier = before.get(watched);
      const scores = watched.scores - (earlier?.scores ?? 0);
      if (leastExpected === undefined || scores === 0) continue;
      return { scores, loss: watched.loss - (earlier?.loss ?? 0), leastExpected };
    }
    return undefined;
  }
}

/** Agreement that `equipoise evaluate` measured; undefined if it did not, or with another shadow. */
function measuredAgreement(
  table: AccuracyTable | undefined,
  { id, shadow }: StageSpec,
  variantId: VariantId,
): ExpectedAccuracy | undefined {
  const found = table?.agreements?.find(
    ({ stage, variant, shadow: other }) => stage === id && variant === variantId && other === shadow?.variantId,
  );
  return found && { accuracy: found.agreement, confidence95: found.confidence95 };
}

/**
 * Two variants that are right in fractions a and b of the items agree on at least a + b − 1 of them. Other metrics have
 * no such bound.
 */
function leastAgreement({ shadow, variants }: StageSpec, variantId: VariantId): { accuracy: number } | undefined {
  if (shadow?.metric.kind !== 'accuracy') return undefined;
  const accuracyOf = (id: VariantId) => variants.find((variant) => variant.id === id)?.accuracy?.value;
  const [own, other] = [accuracyOf(variantId), accuracyOf(shadow.variantId)];
  return own === undefined || other === undefined || own + other <= 1 ? undefined : { accuracy: own + other - 1 };
}

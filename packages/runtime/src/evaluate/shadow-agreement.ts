/**
 * Agreement of variants with the shadow of their stage, from the answers to equal inputs during an evaluation. Items of a
 * sample are correlated, so the interval counts samples.
 */
import {
  type MeasuredAgreement,
  type StageSpec,
  type TensorMap,
  type VariantId,
  wilsonInterval,
} from '@equipoise/core/model';
import { answerAsLabel } from './answer-as-label.js';
import { metricScore } from './metric-score.js';

/** Compared answers of one variant in one sample, and the sum of their scores. */
export interface ComparedItems {
  readonly stage: StageSpec['id'];
  readonly variant: VariantId;
  readonly items: number;
  readonly score: number;
}

const Z_95 = 1.96;

/** Compares outputs of one sample. `outputs`: of each variant, by input. */
export function comparedItems(
  { id, shadow }: StageSpec,
  outputs: ReadonlyMap<string, ReadonlyMap<VariantId, TensorMap>>,
): readonly ComparedItems[] {
  if (shadow === undefined) return [];
  const scoreOf = metricScore(shadow.metric);
  const sums = new Map<VariantId, { items: number; score: number }>();
  for (const byVariant of outputs.values()) {
    const other = byVariant.get(shadow.variantId);
    if (other === undefined) continue;
    const label = answerAsLabel(shadow.metric, other);
    for (const [variant, output] of byVariant) {
      if (variant === shadow.variantId) continue;
      const score = scoreOf([{ outputs: output, label }]);
      const sum = sums.get(variant) ?? { items: 0, score: 0 };
      // Undefined if both answers have nothing, such as no boxes.
      sums.set(variant, { items: sum.items + 1, score: sum.score + (Number.isNaN(score) ? 1 : score) });
    }
  }
  return [...sums].map(([variant, sum]) => ({ stage: id, variant, ...sum }));
}

/** Sums over samples. */
export class ShadowAgreements {
  readonly #stages: readonly StageSpec[];
  readonly #samples = new Map<string, ComparedItems[]>();

  constructor(stages: readonly StageSpec[]) {
    this.#stages = stages;
  }

  add(compared: readonly ComparedItems[]): void {
    for (const each of compared) {
      if (each.items === 0) continue;
      const key = JSON.stringify([each.stage, each.variant]);
      const known = this.#samples.get(key) ?? [];
      known.push(each);
      this.#samples.set(key, known);
    }
  }

  all(): readonly MeasuredAgreement[] {
    return [...this.#samples.values()].flatMap((samples) => {
      const [{ stage, variant }] = samples as [ComparedItems];
      const shadow = this.#stages.find(({ id }) => id === stage)?.shadow?.variantId;
      if (shadow === undefined) return [];
      const items = samples.reduce((sum, each) => sum + each.items, 0);
      const agreement = samples.reduce((sum, each) => sum + each.score, 0) / items;
      return [{ ...{ stage, variant, shadow, agreement, items }, confidence95: interval(agreement, samples, items) }];
    });
  }
}

/** Wilson interval with the variance of a ratio of sums over samples, but at least that of independent samples. */
function interval(mean: number, samples: readonly ComparedItems[], items: number): readonly [number, number] {
  const count = samples.length;
  const residuals = samples.reduce((sum, each) => sum + (each.score - mean * each.items) ** 2, 0);
  const variance = (residuals * count) / Math.max(1, count - 1) / items ** 2;
  const independent = Math.max(mean * (1 - mean), 1e-12);
  const effective = Math.min(items, Math.max(1, variance > 0 ? independent / variance : count));
  const { low, high } = wilsonInterval(mean, effective, Z_95);
  return [low, high];
}

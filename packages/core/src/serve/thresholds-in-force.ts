/**
 * Thresholds of conditions, by stage. A change makes a new list, so a request keeps the list under which it entered.
 */
import type { VariantId } from '../model/ids.js';
import { atThreshold } from '../model/threshold.js';
import type { ServingStage } from './serving-graph.js';

/** Undefined for a list without choices; undefined entries for stages without one. */
export type ThresholdsInForce = readonly (StageThreshold | undefined)[] | undefined;

class StageThreshold {
  readonly value: number;
  /** Most outputs come from one variant. */
  #last: { readonly variant: VariantId; readonly choice: VariantId } | undefined;

  constructor(value: number) {
    this.value = value;
  }

  choiceOf(variant: VariantId | undefined): VariantId | undefined {
    if (variant === undefined) return undefined;
    if (this.#last?.variant !== variant) this.#last = { variant, choice: atThreshold(variant, this.value) };
    return this.#last.choice;
  }
}

export const choiceAt = (
  threshold: StageThreshold | undefined,
  variant: VariantId | undefined,
): VariantId | undefined => (threshold === undefined ? variant : threshold.choiceOf(variant));

/** Until a plan sets a threshold, the first one holds. */
export function firstThresholds(stages: readonly ServingStage[]): ThresholdsInForce {
  if (stages.every(({ thresholds }) => thresholds.length === 0)) return undefined;
  return stages.map(({ thresholds: [first] }) => (first === undefined ? undefined : new StageThreshold(first)));
}

/** Stages without choices stay without a threshold. */
export function withThreshold(before: ThresholdsInForce, stage: number, value: number): ThresholdsInForce {
  const present = before?.[stage];
  if (before === undefined || present === undefined || present.value === value) return before;
  return before.with(stage, new StageThreshold(value));
}

/**
 * Pipeline accuracy score (PAS): product of the accuracies of the visited stages, each counted once (IPA, JSys 2024).
 * With `when` edges, the mean over scenarios. A measurement by `equipoise evaluate` takes precedence.
 */
import { type MeasuredCombination, measuredCombination } from '../model/accuracy-table.js';
import type { StageId, VariantId } from '../model/ids.js';
import type { PipelineSpec, StageSpec } from '../model/pipeline-spec.js';
import { resolvedSpec } from '../model/resolved-spec.js';
import { variantOfChoice } from '../model/threshold.js';
import { visitScenarios } from './visit-scenarios.js';

/** `pas`: fraction 0…1. `entry`: entry of the accuracy table that gives it; undefined for the product. */
export interface PipelineAccuracy {
  readonly pas: number;
  readonly entry: MeasuredCombination | undefined;
}

/** 1 for transforms and undeclared accuracies. */
export function variantAccuracy(stage: StageSpec, variantId: VariantId | undefined): number {
  if (stage.kind === 'transform') return 1;
  const id = variantId && variantOfChoice(variantId);
  return stage.variants.find((variant) => variant.id === id)?.accuracy?.value ?? 1;
}

export function pipelineAccuracy(spec: PipelineSpec, choice: Readonly<Record<StageId, VariantId>>): PipelineAccuracy {
  const entry = measuredCombination(spec.accuracyTable, choice);
  if (entry !== undefined) return { pas: entry.accuracy, entry };
  const pas = visitScenarios(resolvedSpec(spec, (id) => choice[id])).reduce((mean, { probability, visited }) => {
    const stages = spec.stages.filter((stage) => visited.has(stage.id));
    return mean + probability * stages.reduce((score, stage) => score * variantAccuracy(stage, choice[stage.id]), 1);
  }, 0);
  return { pas, entry };
}

/**
 * Pipeline accuracy score (PAS): the product of the accuracies of the stages a request visits, each once (IPA, JSys 2024). A fan-out of K
 * items is not a power, and a transform counts 1. With `when` edges it is the mean over what may be visited, weighted by probability. Where `equipoise evaluate` measured the combination, the measurement wins.
 */
import { measuredAccuracy } from '../model/accuracy-table.js';
import type { StageId, VariantId } from '../model/ids.js';
import type { PipelineSpec, StageSpec } from '../model/pipeline-spec.js';
import { visitScenarios } from './visit-scenarios.js';

/** Accuracy of a whole choice as a fraction 0…1, and whether it was measured end to end. */
export interface PipelineAccuracy {
  readonly pas: number;
  readonly measured: boolean;
}

/** Accuracy (fraction) of one variant of a stage; 1 for transforms and where none is declared. */
export function variantAccuracy(stage: StageSpec, variantId: VariantId | undefined): number {
  if (stage.kind === 'transform') return 1;
  return stage.variants.find((variant) => variant.id === variantId)?.accuracy?.value ?? 1;
}

/** PAS of a full choice of variants. */
export function pipelineAccuracy(spec: PipelineSpec, choice: Readonly<Record<StageId, VariantId>>): PipelineAccuracy {
  const measured = measuredAccuracy(spec.accuracyTable, choice);
  if (measured !== undefined) return { pas: measured, measured: true };
  const pas = visitScenarios(spec).reduce((mean, { probability, visited }) => {
    const stages = spec.stages.filter((stage) => visited.has(stage.id));
    return mean + probability * stages.reduce((score, stage) => score * variantAccuracy(stage, choice[stage.id]), 1);
  }, 0);
  return { pas, measured: false };
}

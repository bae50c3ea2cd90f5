/**
 * The accuracy of a plan depends on its variants alone. Without measured combinations it is the product over the stages, so its logarithm
 * adds; with them it is a function of the whole combination.
 */
import { pipelineAccuracy, variantAccuracy } from '../estimate/pas.js';
import type { StageId, VariantId } from '../model/ids.js';
import type { PipelineSpec } from '../model/pipeline-spec.js';

/** PAS by variant positions, one per stage in the order of the pipeline file. */
export interface AccuracyModel {
  /** True when PAS is the product of `stageAccuracy` over all stages. */
  readonly additive: boolean;
  stageAccuracy(stage: number, variantIndex: number): number;
  pas(variantIndices: readonly number[]): number;
}

/** Scores closer than this in logarithm are equal, and the cheaper plan wins. */
export const LOG_PAS_TIE = 1e-12;

/** Logarithm of a score; a score of 0 is as bad as the smallest number. */
export const logPas = (pas: number): number => Math.log(Math.max(pas, 1e-300));

/** The accuracy model of a pipeline. */
export function accuracyModel(spec: PipelineSpec): AccuracyModel {
  const table = spec.stages.map((stage) => stage.variants.map((variant) => variantAccuracy(stage, variant.id)));
  const choiceOf = (variantIndices: readonly number[]): Readonly<Record<StageId, VariantId>> =>
    Object.fromEntries(
      spec.stages.map((stage, s) => [stage.id, stage.variants[variantIndices[s] as number]?.id as VariantId]),
    );
  return {
    additive: (spec.accuracyTable?.combinations.length ?? 0) === 0,
    stageAccuracy: (stage, variantIndex) => table[stage]?.[variantIndex] ?? 1,
    pas: (variantIndices) => pipelineAccuracy(spec, choiceOf(variantIndices)).pas,
  };
}

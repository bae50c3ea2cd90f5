/**
 * The accuracy of a plan depends on its variants alone. Without measured combinations it is the product over the stages visited, so its
 * logarithm adds within each visit scenario; with them it is a function of the whole combination. Behind an `any` or `quorum` join the
 * result comes from some of the branches only, and in a cascade (an output with `unless`) from the stage that ran last, so there nothing
 * but a measurement counts.
 */
import { pipelineAccuracy, variantAccuracy } from '../../estimate/pas.js';
import { visitScenarios } from '../../estimate/visit-scenarios.js';
import { AppError } from '../../model/app-error.js';
import type { StageId, VariantId } from '../../model/ids.js';
import type { PipelineSpec } from '../../model/pipeline-spec.js';

/** Stages (by index in the pipeline file) visited together with this probability. */
export interface StageScenario {
  readonly probability: number;
  readonly visited: readonly boolean[];
}

/** A measured accuracy and the variant positions it was measured for, one per stage; undefined where any variant will do. */
export interface MeasuredVariants {
  readonly variants: readonly (number | undefined)[];
  readonly accuracy: number;
}

/** PAS by variant positions, one per stage in the order of the pipeline file. */
export interface AccuracyModel {
  /** The first that matches a combination gives its PAS. */
  readonly measured: readonly MeasuredVariants[];
  /** Whether an unmeasured combination has the mean over `scenarios` of the product of `stageAccuracy` over the visited stages, or none. */
  readonly productCounts: boolean;
  readonly scenarios: readonly StageScenario[];
  stageAccuracy(stage: number, variantIndex: number): number;
  /** Undefined where the combination would have to be measured and was not. */
  pas(variantIndices: readonly number[]): number | undefined;
}

/** Scores closer than this in logarithm are equal, and the cheaper plan wins. */
export const LOG_PAS_TIE = 1e-12;

/** Logarithm of a score; a score of 0 is as bad as the smallest number. */
export const logPas = (pas: number): number => Math.log(Math.max(pas, 1e-300));

function needsMeasurement(spec: PipelineSpec): boolean {
  if (spec.outputs.some(({ unless }) => unless !== undefined)) return true;
  return spec.stages.some(({ id }) => {
    const inEdges = spec.edges.filter((edge) => edge.to === id);
    return inEdges.length > 1 && inEdges.some(({ join }) => join === 'any' || typeof join === 'object');
  });
}

function measuredVariants(spec: PipelineSpec): readonly MeasuredVariants[] {
  return (spec.accuracyTable?.combinations ?? []).flatMap(({ variants, accuracy }) => {
    const positions = spec.stages.map((stage) => {
      const wanted = variants[stage.id];
      return wanted === undefined ? undefined : stage.variants.findIndex((variant) => variant.id === wanted);
    });
    const known = Object.keys(variants).every((name) => spec.stages.some((stage) => stage.id === name));
    return known && !positions.includes(-1) ? [{ variants: positions, accuracy }] : [];
  });
}

/** The accuracy model of a pipeline; throws AppError INVALID_PIPELINE where measurements are needed and there are none. */
export function accuracyModel(spec: PipelineSpec): AccuracyModel {
  const table = spec.stages.map((stage) => stage.variants.map((variant) => variantAccuracy(stage, variant.id)));
  const productCounts = !needsMeasurement(spec);
  const measured = measuredVariants(spec);
  if (!productCounts && measured.length === 0)
    throw new AppError(
      'INVALID_PIPELINE',
      'Behind an `any` or `quorum` join and in a cascade the accuracy of a combination cannot be computed; measure it with `equipoise evaluate`.',
    );
  const choiceOf = (variantIndices: readonly number[]): Readonly<Record<StageId, VariantId>> =>
    Object.fromEntries(
      spec.stages.map((stage, s) => [stage.id, stage.variants[variantIndices[s] as number]?.id as VariantId]),
    );
  return {
    measured,
    productCounts,
    scenarios: visitScenarios(spec).map(({ probability, visited }) => ({
      probability,
      visited: spec.stages.map((stage) => visited.has(stage.id)),
    })),
    stageAccuracy: (stage, variantIndex) => table[stage]?.[variantIndex] ?? 1,
    pas: (variantIndices) => {
      const { pas, measured } = pipelineAccuracy(spec, choiceOf(variantIndices));
      return measured || productCounts ? pas : undefined;
    },
  };
}

/** Whether PAS is the product for every combination. */
export const isProduct = ({ measured, productCounts }: AccuracyModel): boolean =>
  productCounts && measured.length === 0;

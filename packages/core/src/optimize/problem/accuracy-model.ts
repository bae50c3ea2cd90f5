/**
 * Accuracy of a plan by its variants: measured, or the product over visited stages, averaged over scenarios. With an
 * `any` or `quorum` join of several edges, or a cascade (an output with `unless`), only measurements count.
 */
import { pipelineAccuracy, variantAccuracy } from '../../estimate/pas.js';
import { visitScenarios } from '../../estimate/visit-scenarios.js';
import type { AccuracyTable } from '../../model/accuracy-table.js';
import { AppError } from '../../model/app-error.js';
import type { StageId, VariantId } from '../../model/ids.js';
import { measurementCause, nodeIds, type PipelineSpec, type StageSpec } from '../../model/pipeline-spec.js';

/** `visited`: by node of the graph. */
export interface StageScenario {
  readonly probability: number;
  readonly visited: readonly boolean[];
}

/** Variant positions by stage; undefined accepts any variant. */
export interface MeasuredVariants {
  readonly variants: readonly (number | undefined)[];
  readonly accuracy: number;
}

/** Accuracy of variant positions, which are given per stage in file order. */
export interface AccuracyModel {
  /** The first match counts. */
  readonly measured: readonly MeasuredVariants[];
  /** True if the product counts for combinations without a measurement. */
  readonly productCounts: boolean;
  readonly scenarios: readonly StageScenario[];
  stageAccuracy(stage: number, variantIndex: number): number;
  pas(variantIndices: readonly number[]): number | undefined;
}

/** Log scores closer than this count as equal, so that the cheaper plan wins. */
export const LOG_PAS_TIE = 1e-12;

/** Log of PAS; 0 maps to the log of 1e-300. */
export const logPas = (pas: number): number => Math.log(Math.max(pas, 1e-300));

interface KnownPositions {
  readonly stages: PipelineSpec['stages'];
  readonly measured: readonly MeasuredVariants[];
}

const knownPositions = new WeakMap<AccuracyTable, KnownPositions>();

const isSameStage = (a: StageSpec | undefined, b: StageSpec | undefined): boolean =>
  a?.id === b?.id && a?.variants === b?.variants;

/** Entries of the accuracy table whose stages and variants exist. Cases of a problem share tables. */
export function measuredVariants({ stages, accuracyTable }: PipelineSpec): readonly MeasuredVariants[] {
  if (accuracyTable === undefined) return [];
  const known = knownPositions.get(accuracyTable);
  if (known?.stages.length === stages.length && stages.every((stage, s) => isSameStage(stage, known.stages[s])))
    return known.measured;
  const measured = positionsOf(stages, accuracyTable);
  knownPositions.set(accuracyTable, { stages, measured });
  return measured;
}

function positionsOf(stages: PipelineSpec['stages'], { combinations }: AccuracyTable): readonly MeasuredVariants[] {
  const indexOf = new Map<string, number>(stages.map(({ id }, s) => [id, s]));
  return combinations.flatMap(({ variants, accuracy }) => {
    const positions = new Array<number | undefined>(stages.length).fill(undefined);
    for (const [name, wanted] of Object.entries<VariantId>(variants)) {
      const s = indexOf.get(name);
      const position = s === undefined ? -1 : stages[s]?.variants.findIndex(({ id }) => id === wanted);
      if (s === undefined || position === -1) return [];
      positions[s] = position;
    }
    return [{ variants: positions, accuracy }];
  });
}

/**
 * Throws AppError INVALID_PIPELINE if the pipeline needs measurements and none exists. With `onlyMeasured` it does not
 * throw: then no combination has a known accuracy.
 */
export function accuracyModel(spec: PipelineSpec, onlyMeasured = false): AccuracyModel {
  const table = spec.stages.map((stage) => stage.variants.map((variant) => variantAccuracy(stage, variant.id)));
  const productCounts = !onlyMeasured && measurementCause(spec) === undefined;
  const measured = measuredVariants(spec);
  if (!productCounts && !onlyMeasured && measured.length === 0)
    throw new AppError(
      'INVALID_PIPELINE',
      'Behind a combine stage, behind an `any` or `quorum` join and in a cascade the accuracy of a combination cannot be computed; measure it with `equipoise evaluate`.',
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
      visited: nodeIds(spec).map((id) => visited.has(id)),
    })),
    stageAccuracy: (stage, variantIndex) => table[stage]?.[variantIndex] ?? 1,
    pas: (variantIndices) => {
      const { pas, entry } = pipelineAccuracy(spec, choiceOf(variantIndices));
      return entry !== undefined || productCounts ? pas : undefined;
    },
  };
}

export const isProduct = ({ measured, productCounts }: AccuracyModel): boolean =>
  productCounts && measured.length === 0;

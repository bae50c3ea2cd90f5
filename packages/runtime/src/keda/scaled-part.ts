/**
 * The part of a pipeline that a ScaledObject scales: the `stage` in its trigger metadata, or only a `variant` of it.
 */
import { AppError, type PipelineSpec } from '@equipoise/core/model';
import type { DesiredReplicas } from '../observe/desired-replicas.js';
import type { ScaledObjectRef } from './external-scaler.gen.js';

export interface ScaledPipeline {
  readonly spec: Pick<PipelineSpec, 'name' | 'stages'>;
  readonly desired: DesiredReplicas;
}

/**
 * Wanted replicas of the named part. Throws AppError INVALID_FIELDS if no stage is named, NOT_FOUND for unknown names,
 * DROPPED before the first plan. KEDA then uses its fallback.
 */
export function wantedOf({ spec, desired }: ScaledPipeline, ref: ScaledObjectRef | undefined): number {
  const { pipeline = spec.name, stage, variant } = ref?.scalerMetadata ?? {};
  const stages = spec.stages.map(({ id }) => id);
  if (pipeline !== spec.name) throw notFound(`the pipeline ${pipeline}`, [spec.name]);
  if (stage === undefined) {
    const message = `The metadata of the trigger name no stage; there are ${stages.join(', ')}.`;
    throw new AppError('INVALID_FIELDS', message, { details: { stages } });
  }
  const variants = spec.stages.find(({ id }) => id === stage)?.variants.map(({ id }) => id);
  if (variants === undefined) throw notFound(`the stage ${stage}`, stages);
  if (variant !== undefined && !variants.some((id) => id === variant)) {
    throw notFound(`the variant ${variant} of the stage ${stage}`, variants);
  }
  const wanted = desired.of(stage, variant);
  if (wanted === undefined) throw new AppError('DROPPED', 'There is no plan yet.', { retryable: true });
  return wanted;
}

function notFound(what: string, known: readonly string[]): AppError {
  return new AppError('NOT_FOUND', `There is nothing to scale for ${what}; there are ${known.join(', ')}.`, {
    details: { known },
  });
}

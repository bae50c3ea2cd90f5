import { AppError, type PipelineSpec, type Plan, type ProfileSet } from '@equipoise/core/model';
import type { RenderTarget } from './engines/targets.js';

/** Images by scope: the pipeline, a stage (`detect`) or a variant (`detect/small`). */
export interface Images {
  /** Image with Equipoise, and the pipeline in `/pipeline`; runs the router and stages with code. */
  readonly pipeline: string;
  /** Images of stages and variants; default: `pipeline`. */
  readonly byVariant: Readonly<Record<string, string>>;
}

/** Request to render a plan that was made for `profiles`. */
export interface RenderRequest {
  readonly spec: PipelineSpec;
  readonly plan: Pick<Plan, 'stages'>;
  readonly profiles: ProfileSet;
  readonly target: RenderTarget;
  readonly images: Images;
  /** Routers with this plan each; default 1. */
  readonly routers?: number;
  /** False: stage pods have CPU requests only. Default true. */
  readonly hasCpuLimits?: boolean;
  readonly namespace?: string | undefined;
  /** Location for engines that fetch artifacts, such as `s3://bucket/shelf`. */
  readonly artifactBase?: string;
}

export function imageOf({ pipeline, byVariant }: Images, stage: string, variant: string): string {
  return byVariant[`${stage}/${variant}`] ?? byVariant[stage] ?? pipeline;
}

/** AppError NOT_FOUND for images of unknown stages and variants. */
export function checkImages({ byVariant }: Images, { stages }: PipelineSpec): void {
  const known = stages.flatMap(({ id, variants }) => [`${id}`, ...variants.map((variant) => `${id}/${variant.id}`)]);
  const unknown = Object.keys(byVariant).filter((name) => !known.includes(name));
  if (unknown.length === 0) return;
  const message = `There is no stage or variant ${unknown.join(', ')} to give an image; the pipeline has ${known.join(', ')}.`;
  throw new AppError('NOT_FOUND', message, { details: { unknown, known } });
}

/** Request for the objects of one router of several. */
export interface RouterRequest extends RenderRequest {
  /** Counts from 0. */
  readonly router: number;
}

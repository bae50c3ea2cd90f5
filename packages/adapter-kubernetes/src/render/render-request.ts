import { AppError, type PipelineSpec, type Plan, type ProfileSet } from '@equipoise/core/model';

/** Engine that runs the replicas: Deployments, Seldon Core 2 or 1, KServe. */
export type RenderTarget = 'deployment' | 'seldon-v2' | 'seldon-v1' | 'kserve';

/** Images by scope: the pipeline, a stage (`detect`) or a variant (`detect/small`). */
export interface Images {
  /** Image with Equipoise and the folder of the pipeline in `/pipeline`: runs the router and stages with code. */
  readonly pipeline: string;
  /** Images of variants whose server has a command; default is `pipeline`. */
  readonly byVariant: Readonly<Record<string, string>>;
}

/** `profiles` and `arrivalRps` are those that the plan was made for. */
export interface RenderRequest {
  readonly spec: PipelineSpec;
  readonly plan: Pick<Plan, 'stages'>;
  readonly profiles: ProfileSet;
  readonly arrivalRps: number;
  readonly target: RenderTarget;
  readonly images: Images;
  readonly namespace?: string | undefined;
  /** Base of the artifacts for engines that fetch them, such as `s3://bucket/shelf`. */
  readonly artifactBase?: string;
}

/** The most specific image. */
export function imageOf({ pipeline, byVariant }: Images, stage: string, variant: string): string {
  return byVariant[`${stage}/${variant}`] ?? byVariant[stage] ?? pipeline;
}

/** NOT_FOUND for images of unknown stages and variants. */
export function checkImages({ byVariant }: Images, { stages }: PipelineSpec): void {
  const known = stages.flatMap(({ id, variants }) => [`${id}`, ...variants.map((variant) => `${id}/${variant.id}`)]);
  const unknown = Object.keys(byVariant).filter((name) => !known.includes(name));
  if (unknown.length === 0) return;
  const message = `There is no stage or variant ${unknown.join(', ')} to give an image; the pipeline has ${known.join(', ')}.`;
  throw new AppError('NOT_FOUND', message, { details: { unknown, known } });
}

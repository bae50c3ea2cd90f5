/** What is rendered: a plan of a pipeline, for an engine, with what only the one who deploys it knows. */
import { AppError, type PipelineSpec, type Plan, type ProfileSet } from '@equipoise/core/model';

/** What runs the replicas: plain Deployments, Seldon Core 2 or 1, KServe. */
export type RenderTarget = 'deployment' | 'seldon-v2' | 'seldon-v1' | 'kserve';

/** Images by what they are for: everything, a stage (`detect`) or one variant of it (`detect/small`). */
export interface Images {
  /** Has Equipoise and the folder of the pipeline in `/pipeline`: runs the router and the stages that are code. */
  readonly pipeline: string;
  /** Runs variants that are servers with a command; as `pipeline` when left out. */
  readonly byVariant: Readonly<Record<string, string>>;
}

/** One rendering. `profiles` are those that the plan was made from; `arrivalRps` the load that it was made for. */
export interface RenderRequest {
  readonly spec: PipelineSpec;
  readonly plan: Pick<Plan, 'stages'>;
  readonly profiles: ProfileSet;
  readonly arrivalRps: number;
  readonly target: RenderTarget;
  readonly images: Images;
  readonly namespace?: string;
  /** Where the artifacts of the pipeline's folder are kept for engines that fetch them, such as `s3://bucket/shelf`. */
  readonly artifactBase?: string;
}

/** The image of a variant: its own, that of its stage, that of the pipeline. */
export function imageOf({ pipeline, byVariant }: Images, stage: string, variant: string): string {
  return byVariant[`${stage}/${variant}`] ?? byVariant[stage] ?? pipeline;
}

/** Refuses images for stages and variants that the pipeline does not have. */
export function checkImages({ byVariant }: Images, { stages }: PipelineSpec): void {
  const known = stages.flatMap(({ id, variants }) => [`${id}`, ...variants.map((variant) => `${id}/${variant.id}`)]);
  const unknown = Object.keys(byVariant).filter((name) => !known.includes(name));
  if (unknown.length === 0) return;
  const message = `There is no stage or variant ${unknown.join(', ')} to give an image; the pipeline has ${known.join(', ')}.`;
  throw new AppError('NOT_FOUND', message, { details: { unknown, known } });
}

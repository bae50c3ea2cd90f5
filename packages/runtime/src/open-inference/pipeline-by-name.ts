/** Finding what a request is about. */
import { AppError } from '@equipoise/core/model';
import type { ServedPipeline } from './served-pipeline.js';

/** A pipeline by its name; AppError NOT_FOUND lists those that exist. */
export function pipelineByName(pipelines: ReadonlyMap<string, ServedPipeline>, name: string): ServedPipeline {
  const pipeline = pipelines.get(name);
  if (pipeline !== undefined) return pipeline;
  const names = [...pipelines.keys()];
  throw new AppError('NOT_FOUND', `No pipeline of this name is served; served: ${names.join(', ')}.`, {
    details: { pipelines: names },
  });
}

/** Metadata of the server and of its pipelines in the form of the Open Inference Protocol v2. */
import { type Answer, ok } from './answer.js';
import type { Call, Endpoint } from './endpoint.js';
import { metadataOf, serverMetadataOf } from './served-metadata.js';

/** Name, version and protocol extensions of the server. */
export function serverMetadata(version: string): Endpoint {
  return () => ok(serverMetadataOf(version));
}

/** Of a pipeline, or of a stage by `PIPELINE.STAGE`. */
export function modelMetadata({ pipelines, pipelineName }: Call): Answer {
  return ok(metadataOf(pipelines, pipelineName));
}

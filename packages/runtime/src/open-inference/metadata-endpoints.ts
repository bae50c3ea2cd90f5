/** Metadata of the server and of its pipelines in the form of the Open Inference Protocol v2. */
import { type Answer, ok } from './answer.js';
import { type Call, type Endpoint, pipelineOf } from './endpoint.js';
import { metadataOf, serverMetadataOf } from './served-metadata.js';

/** Name, version and protocol extensions of the server. */
export function serverMetadata(version: string): Endpoint {
  return () => ok(serverMetadataOf(version));
}

/** Inputs as the pipeline file declares them, outputs as far as they have been seen. */
export function pipelineMetadata(call: Call): Answer {
  return ok(metadataOf(pipelineOf(call)));
}

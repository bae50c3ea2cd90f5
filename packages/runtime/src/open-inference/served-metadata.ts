/** What the server says of itself and of what it serves, apart from how REST and gRPC write it. */
import type { ModelMetadata, ServerMetadata } from '@equipoise/open-inference-codec';
import type { ServedPipeline } from './served-pipeline.js';

const SERVER_NAME = 'equipoise';

/** Name, version and protocol extensions of the server. */
export function serverMetadataOf(version: string): ServerMetadata {
  return { name: SERVER_NAME, version, extensions: ['binary_tensor_data'] };
}

/** Inputs of a pipeline as its file declares them, outputs as far as they have been seen. */
export function metadataOf({ name, inputs, outputs }: ServedPipeline): ModelMetadata {
  return {
    name,
    platform: SERVER_NAME,
    inputs: inputs.map(({ name: input, datatype, shape }) => ({ name: input, datatype, shape })),
    outputs: [...outputs].map(([output, type]) => ({ name: output, ...type })),
  };
}

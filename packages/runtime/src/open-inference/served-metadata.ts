/** What the server says of itself and of what it serves, apart from how REST and gRPC write it. */
import type { ModelMetadata, ServerMetadata } from '@equipoise/open-inference-codec';
import { pipelineByName } from './pipeline-by-name.js';
import type { ServedPipeline } from './served-pipeline.js';

const SERVER_NAME = 'equipoise';

/** Name, version and protocol extensions of the server. */
export function serverMetadataOf(version: string): ServerMetadata {
  return { name: SERVER_NAME, version, extensions: ['binary_tensor_data'] };
}

/**
 * A pipeline by its name, with inputs as its file declares them and outputs as far as they have been seen; or a stage by
 * `PIPELINE.STAGE`, with the names of its variants as versions and its tensors as far as they have been seen. AppError NOT_FOUND for
 * any other name.
 */
export function metadataOf(pipelines: ReadonlyMap<string, ServedPipeline>, name: string): ModelMetadata {
  if (!pipelines.has(name)) {
    for (const pipeline of pipelines.values()) {
      const stage = pipeline.stage(name.slice(pipeline.name.length + 1));
      if (stage !== undefined && name.startsWith(`${pipeline.name}.`)) return { name, platform: SERVER_NAME, ...stage };
    }
  }
  const { inputs, outputs } = pipelineByName(pipelines, name);
  return {
    name,
    platform: SERVER_NAME,
    inputs: inputs.map(({ name: input, datatype, shape }) => ({ name: input, datatype, shape })),
    outputs,
  };
}

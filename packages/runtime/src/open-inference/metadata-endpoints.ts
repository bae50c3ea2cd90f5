/** Metadata of the server and of its pipelines in the form of the Open Inference Protocol v2. */
import { type Answer, ok } from './answer.js';
import { type Call, type Endpoint, pipelineOf } from './endpoint.js';

/** Name, version and protocol extensions of the server. */
export function serverMetadata(version: string): Endpoint {
  return () => ok({ name: 'equipoise', version, extensions: ['binary_tensor_data'] });
}

/** Inputs as the pipeline file declares them, outputs as far as they have been seen. */
export function pipelineMetadata(call: Call): Answer {
  const { name, inputs, outputs } = pipelineOf(call);
  return ok({
    name,
    platform: 'equipoise',
    inputs: inputs.map(({ name: input, datatype, shape }) => ({ name: input, datatype, shape })),
    outputs: [...outputs].map(([output, type]) => ({ name: output, ...type })),
  });
}

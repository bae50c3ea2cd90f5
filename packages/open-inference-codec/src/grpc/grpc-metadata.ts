import type { ModelMetadata, TensorMetadata } from '../protocol-types.js';
import { readMessage, writeJsonMessage, writeMessage } from './grpc-methods.js';
import {
  ModelConfigResponseSchema,
  type ModelMetadataResponse_TensorMetadata,
  ModelMetadataResponseSchema,
} from './open-inference.gen.js';

/** Data types in a model configuration, by their number. */
const CONFIG_TYPES = [
  'TYPE_INVALID',
  'TYPE_BOOL',
  'TYPE_UINT8',
  'TYPE_UINT16',
  'TYPE_UINT32',
  'TYPE_UINT64',
  'TYPE_INT8',
  'TYPE_INT16',
  'TYPE_INT32',
  'TYPE_INT64',
  'TYPE_FP16',
  'TYPE_FP32',
  'TYPE_FP64',
  'TYPE_STRING',
];

interface ConfigTensor {
  readonly name: string;
  readonly data_type: string;
  readonly dims: readonly number[];
}

/** Encodes a model configuration that is given as for REST. */
export function writeGrpcConfig(config: {
  readonly input: readonly ConfigTensor[];
  readonly output: readonly ConfigTensor[];
}): Uint8Array {
  const numbered = (tensor: ConfigTensor) => ({ ...tensor, data_type: CONFIG_TYPES.indexOf(tensor.data_type) });
  const { input, output } = config;
  return writeJsonMessage(ModelConfigResponseSchema, {
    config: { ...config, input: input.map(numbered), output: output.map(numbered) },
  });
}

export function writeGrpcMetadata({ inputs, outputs, versions = [], ...more }: ModelMetadata): Uint8Array {
  return writeMessage(ModelMetadataResponseSchema, {
    ...more,
    versions: [...versions],
    inputs: inputs.map(written),
    outputs: outputs.map(written),
  });
}

/** Decodes model metadata; throws MALFORMED_REQUEST. */
export function readGrpcMetadata(bytes: Uint8Array): ModelMetadata {
  const { name, platform, versions, inputs, outputs } = readMessage(ModelMetadataResponseSchema, bytes);
  return { name, platform, versions, inputs: inputs.map(read), outputs: outputs.map(read) };
}

function written({ name, datatype, shape }: TensorMetadata) {
  return { name, datatype, shape: shape.map(BigInt) };
}

function read({ name, datatype, shape }: ModelMetadataResponse_TensorMetadata): TensorMetadata {
  return { name, datatype, shape: shape.map(Number) };
}

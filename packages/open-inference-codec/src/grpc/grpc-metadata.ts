import type { ModelMetadata, TensorMetadata } from '../protocol-types.js';
import { readMessage, writeMessage } from './grpc-methods.js';
import { type ModelMetadataResponse_TensorMetadata, ModelMetadataResponseSchema } from './open-inference.gen.js';

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

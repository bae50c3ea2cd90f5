import type { Tensor, TensorMap } from '@equipoise/core/model';
import type { InferResponse } from '../protocol-types.js';
import type { AnswerNames } from '../rest/infer-response.js';
import { checkedType } from '../tensor-types.js';
import { readMessage, writeMessage } from './grpc-methods.js';
import { writeGrpcParameters } from './grpc-parameters.js';
import { readTensors, shapeOf, writeTensors } from './grpc-tensors.js';
import { ModelInferResponseSchema } from './open-inference.gen.js';

/** Encodes an answer. If an output is FP16, which has no typed contents, all outputs are raw. */
export function writeGrpcResponse(
  { modelName, id, missing }: AnswerNames,
  outputs: TensorMap,
  raw: boolean,
): Uint8Array {
  const tensors = writeTensors(outputs, raw);
  return writeMessage(ModelInferResponseSchema, {
    modelName,
    id,
    parameters: writeGrpcParameters(missing === undefined ? {} : { missing: missing.join(',') }),
    outputs: [...tensors.entries],
    rawOutputContents: [...tensors.raw],
  });
}

/** Decodes an answer; throws MALFORMED_REQUEST or TENSOR_MISMATCH. */
export function readGrpcResponse(bytes: Uint8Array): InferResponse {
  const message = readMessage(ModelInferResponseSchema, bytes);
  const outputs: [string, Tensor][] = [];
  readTensors(message.outputs, message.rawOutputContents, (entry, read) => {
    const { name, datatype } = entry;
    outputs.push([name, read(checkedType({ name, datatype, shape: shapeOf(entry) }))]);
  });
  const { id, modelName } = message;
  return { modelName, ...(id !== '' && { id }), outputs: Object.fromEntries(outputs) };
}

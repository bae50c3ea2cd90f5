import type { TensorMap, TensorType } from '@equipoise/core/model';
import type { Fields } from '../json/json-fields.js';
import type { InferRequest } from '../protocol-types.js';
import { checkNames, InputCollection } from '../tensor-types.js';
import { writeMessage } from './grpc-methods.js';
import { readGrpcParameters, writeGrpcParameters } from './grpc-parameters.js';
import { readTensors, shapeOf, writeTensors } from './grpc-tensors.js';
import type { InferMessage } from './infer-message.js';
import { ModelInferRequestSchema } from './open-inference.gen.js';

/** Request of a client. Without `outputs`, all are requested. `raw`: the client sent no typed tensors. */
export interface ReceivedGrpcRequest {
  readonly id: string | undefined;
  readonly parameters: Fields;
  readonly inputs: TensorMap;
  /** Number of items of a client batch; undefined for a single item. */
  readonly items: number | undefined;
  readonly outputs: readonly string[] | undefined;
  readonly raw: boolean;
}

/**
 * Reads a request. `declared` are the inputs of the model; if empty, any fit. Throws MALFORMED_REQUEST,
 * TENSOR_MISMATCH or BODY_TOO_LARGE.
 */
export function readGrpcRequest(message: InferMessage, declared: readonly TensorType[]): ReceivedGrpcRequest {
  const inputs = new InputCollection(declared);
  readTensors(message.inputs, message.rawInputContents, (entry, read) => {
    const { name, datatype } = entry;
    inputs.add(name, read(inputs.typeOf({ name, datatype, shape: shapeOf(entry) })));
  });
  const outputs = message.outputs.map(({ name }) => name);
  checkNames(message.id, outputs);
  return {
    id: message.id === '' ? undefined : message.id,
    parameters: readGrpcParameters(message.parameters),
    inputs: inputs.all(),
    items: inputs.items,
    outputs: outputs.length === 0 ? undefined : outputs,
    raw: message.rawInputContents.length > 0 || message.inputs.length === 0,
  };
}

export function writeGrpcRequest(modelName: string, request: InferRequest, raw: boolean): Uint8Array {
  const { id = '', parameters, outputs = [] } = request;
  const inputs = writeTensors(request.inputs, raw);
  return writeMessage(ModelInferRequestSchema, {
    modelName,
    id,
    parameters: writeGrpcParameters(parameters),
    inputs: [...inputs.entries],
    outputs: outputs.map((name) => ({ name })),
    rawInputContents: [...inputs.raw],
  });
}

import type { Tensor, TensorMap } from '@equipoise/core/model';
import type { InferResponse } from '../protocol-types.js';
import { encodeRaw } from '../raw-tensors/raw-tensor.js';
import type { AnswerNames } from '../rest/infer-response.js';
import { checkedType } from '../tensor-types.js';
import { readMessage, writeMessage } from './grpc-methods.js';
import { isRawMessage, readTensors, shapeOf, statedContentType } from './grpc-tensors.js';
import { MessageWriter } from './message-writer.js';
import {
  InferParameterSchema,
  InferTensorContentsSchema,
  ModelInferResponse_InferOutputTensorSchema,
  ModelInferResponseSchema,
} from './open-inference.gen.js';
import { writeContents } from './tensor-contents.js';

const answer = ModelInferResponseSchema.field;
const output = ModelInferResponse_InferOutputTensorSchema.field;
const TEXT_PARAMETER = InferParameterSchema.field.stringParam.number;
/** Fields of an entry of a map. */
const entry = { key: 1, value: 2 } as const;

/** Expected bytes of a message and of an output, without texts and data. */
const HEAD_BYTES = 256;

/** Encodes an answer. If an output is FP16, which has no typed contents, all outputs are raw. */
export function writeGrpcResponse(
  { modelName, id, missing }: AnswerNames,
  outputs: TensorMap,
  wantRaw: boolean,
): Uint8Array {
  const all = Object.entries(outputs);
  const isRaw = isRawMessage(outputs, wantRaw);
  const raw = isRaw ? all.map(([, tensor]) => encodeRaw(tensor)) : [];
  const dataBytes = raw.reduce((sum, { length }) => sum + length, 0);
  const writer = new MessageWriter(dataBytes + HEAD_BYTES * (1 + all.length) + id.length);
  if (modelName !== '') writer.text(answer.modelName.number, modelName);
  if (id !== '') writer.text(answer.id.number, id);
  if (missing !== undefined) writeTextParameter(writer, answer.parameters.number, ['missing', missing.join(',')]);
  for (const [name, tensor] of all) {
    writer.nested(answer.outputs.number, () => writeOutput(writer, name, { tensor, isRaw }));
  }
  for (const bytes of raw) writer.bytes(answer.rawOutputContents.number, bytes);
  return writer.message;
}

function writeOutput(
  writer: MessageWriter,
  name: string,
  { tensor, isRaw }: { readonly tensor: Tensor; readonly isRaw: boolean },
): void {
  if (name !== '') writer.text(output.name.number, name);
  writer.text(output.datatype.number, tensor.datatype);
  if (tensor.shape.length > 0) writer.integers(output.shape.number, tensor.shape);
  for (const stated of Object.entries(statedContentType(tensor))) {
    writeTextParameter(writer, output.parameters.number, stated);
  }
  if (!isRaw) writer.bytes(output.contents.number, writeMessage(InferTensorContentsSchema, writeContents(tensor)));
}

function writeTextParameter(writer: MessageWriter, field: number, [name, value]: readonly [string, string]): void {
  writer.nested(field, () => {
    writer.text(entry.key, name);
    writer.nested(entry.value, () => writer.text(TEXT_PARAMETER, value));
  });
}

/** Decodes an answer; throws MALFORMED_REQUEST or TENSOR_MISMATCH. */
export function readGrpcResponse(bytes: Uint8Array): InferResponse {
  const message = readMessage(ModelInferResponseSchema, bytes);
  const outputs: [string, Tensor][] = [];
  readTensors(message.outputs, message.rawOutputContents, (stated, read) => {
    const { name, datatype } = stated;
    outputs.push([name, read(checkedType({ name, datatype, shape: shapeOf(stated) }))]);
  });
  const { id, modelName } = message;
  return { modelName, ...(id !== '' && { id }), outputs: Object.fromEntries(outputs) };
}

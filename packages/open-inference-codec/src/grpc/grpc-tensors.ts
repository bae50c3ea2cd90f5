/** Tensors of a gRPC message. They are either all raw (one byte string per entry, in order) or all typed. */

import type { MessageInitShape } from '@bufbuild/protobuf';
import { AppError, type Tensor, type TensorMap, type TensorType } from '@equipoise/core/model';
import { CONTENT_TYPE, contentTypeOf } from '../raw-tensors/byte-elements.js';
import { decodeRaw, encodeRaw } from '../raw-tensors/raw-tensor.js';
import { writeGrpcParameters } from './grpc-parameters.js';
import type {
  InferTensorContents,
  ModelInferRequest_InferInputTensor,
  ModelInferRequest_InferInputTensorSchema,
  ModelInferResponse_InferOutputTensorSchema,
} from './open-inference.gen.js';
import { hasContents, hasElements, readContents, writeContents } from './tensor-contents.js';

export type TensorEntry = Pick<ModelInferRequest_InferInputTensor, 'name' | 'datatype' | 'shape' | 'parameters'> & {
  readonly contents?: InferTensorContents | undefined;
};

export type EntryInit = MessageInitShape<typeof ModelInferRequest_InferInputTensorSchema> &
  MessageInitShape<typeof ModelInferResponse_InferOutputTensorSchema>;

/** Encoded tensors; `raw` is empty if they are typed. */
export interface WrittenTensors {
  readonly entries: readonly EntryInit[];
  readonly raw: readonly Uint8Array<ArrayBuffer>[];
}

/** Calls `add` with each entry and its decoder. Throws MALFORMED_REQUEST, and the errors of `add`. */
export function readTensors(
  entries: readonly TensorEntry[],
  raw: readonly Uint8Array[],
  add: (entry: TensorEntry, read: (type: TensorType) => Tensor) => void,
): void {
  if (raw.length > 0 && raw.length !== entries.length) {
    throw new AppError('MALFORMED_REQUEST', `There are ${raw.length} raw contents for ${entries.length} tensors.`);
  }
  for (const [index, entry] of entries.entries()) {
    add(entry, (type) => readTensor({ contentType: contentTypeOfEntry(entry), ...type }, entry, raw[index]));
  }
}

export function shapeOf({ shape }: TensorEntry): readonly number[] {
  return shape.map(Number);
}

/** True if all tensors are raw: if `wantRaw`, or if one is FP16. */
export function isRawMessage(tensors: TensorMap, wantRaw: boolean): boolean {
  return wantRaw || !Object.values(tensors).every(hasContents);
}

/** Encodes all tensors raw if `wantRaw` or if one is FP16; otherwise all typed. */
export function writeTensors(tensors: TensorMap, wantRaw: boolean): WrittenTensors {
  const all = Object.entries(tensors);
  const raw = isRawMessage(tensors, wantRaw);
  return {
    entries: all.map(([name, tensor]) => ({
      name,
      datatype: tensor.datatype,
      shape: tensor.shape.map(BigInt),
      parameters: writeGrpcParameters(statedContentType(tensor)),
      ...(!raw && { contents: writeContents(tensor) }),
    })),
    raw: raw ? all.map(([, tensor]) => encodeRaw(tensor) as Uint8Array<ArrayBuffer>) : [],
  };
}

function readTensor(
  type: TensorType & { readonly contentType: string | undefined },
  { contents }: TensorEntry,
  raw: Uint8Array | undefined,
): Tensor {
  if (raw === undefined) return readContents(type, contents);
  // MLServer sends empty typed contents together with raw contents.
  if (contents === undefined || !hasElements(contents)) return decodeRaw(type, raw);
  throw new AppError('MALFORMED_REQUEST', 'Tensors have both raw and typed contents; only one of them may be given.');
}

function contentTypeOfEntry({ parameters }: TensorEntry): string | undefined {
  const value = parameters[CONTENT_TYPE]?.parameterChoice.value;
  return typeof value === 'string' ? value : undefined;
}

export function statedContentType({ datatype, data }: Tensor): Readonly<Record<string, string>> {
  const contentType = datatype === 'BYTES' ? contentTypeOf(data as readonly (string | Uint8Array)[]) : undefined;
  return contentType === undefined ? {} : { [CONTENT_TYPE]: contentType };
}

/**
 * Converts between Equipoise and onnxruntime over the same memory. Copies only shared memory and raw byte strings,
 * which the runtime does not accept.
 */
import { AppError, type Datatype, type Tensor, type TensorData } from '@equipoise/core/model';
import type { Tensor as OrtTensor, TypedTensor } from 'onnxruntime-node';

const ortTypes = {
  BOOL: 'bool',
  UINT8: 'uint8',
  UINT16: 'uint16',
  UINT32: 'uint32',
  UINT64: 'uint64',
  INT8: 'int8',
  INT16: 'int16',
  INT32: 'int32',
  INT64: 'int64',
  FP16: 'float16',
  FP32: 'float32',
  FP64: 'float64',
  BYTES: 'string',
} as const satisfies Record<Datatype, OrtTensor.Type>;

const datatypes: ReadonlyMap<string, Datatype> = new Map(
  (Object.keys(ortTypes) as Datatype[]).map((datatype) => [ortTypes[datatype], datatype]),
);

/** Constructor of tensors, an argument because the package is loaded on demand. */
export type OrtTensorConstructor = new (
  type: OrtTensor.Type,
  data: OrtTensor.DataType,
  dims: readonly number[],
) => OrtTensor;

/** Data type of a tensor; undefined if unsupported (4-bit integers). */
export const datatypeOf = (ortType: string): Datatype | undefined => datatypes.get(ortType);

function ortData(data: TensorData): OrtTensor.DataType {
  if (Array.isArray(data)) {
    const decoder = new TextDecoder();
    return data.map((element: string | Uint8Array) =>
      typeof element === 'string' ? element : decoder.decode(element),
    );
  }
  const view = data as Exclude<TensorData, readonly unknown[]>;
  return (view.buffer instanceof SharedArrayBuffer ? view.slice() : view) as OrtTensor.DataType;
}

export function toOrtTensor(OrtTensor: OrtTensorConstructor, { datatype, data, shape }: Tensor): OrtTensor {
  if (datatype !== 'FP16') return new OrtTensor(ortTypes[datatype], ortData(data), shape);
  // Since Node 24 the constructor makes a Float16Array of raw bits, which the native code of the runtime does not read.
  return Object.assign(new OrtTensor('uint16', ortData(data), shape), { type: ortTypes.FP16 });
}

/** Throws MODEL_LOAD_FAILED for unsupported types. */
export function fromOrtTensor(name: string, tensor: OrtTensor): Tensor {
  const datatype = datatypeOf(tensor.type);
  if (datatype === undefined) {
    throw new AppError(
      'MODEL_LOAD_FAILED',
      `Tensor '${name}' has the type ${tensor.type}, which Equipoise does not support.`,
    );
  }
  const { data } = tensor as TypedTensor<OrtTensor.Type>;
  return { datatype, shape: tensor.dims, data: datatype === 'FP16' ? rawBits(data) : (data as TensorData) };
}

/** Bits of FP16 elements, which are a Float16Array since Node 24. */
function rawBits(data: OrtTensor.DataType): Uint16Array<ArrayBuffer> {
  const { buffer, byteOffset, length } = data as Uint16Array<ArrayBuffer>;
  return new Uint16Array(buffer, byteOffset, length);
}

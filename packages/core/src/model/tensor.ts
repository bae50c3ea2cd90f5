/**
 * Tensors between stages: an Open Inference data type, a shape and flat row-major data. The receiver of a tensor owns
 * it.
 */

/** Data types of the Open Inference Protocol v2. FP16 data are raw 16-bit patterns. */
export type Datatype =
  | 'BOOL'
  | 'UINT8'
  | 'UINT16'
  | 'UINT32'
  | 'UINT64'
  | 'INT8'
  | 'INT16'
  | 'INT32'
  | 'INT64'
  | 'FP16'
  | 'FP32'
  | 'FP64'
  | 'BYTES';

/** BYTES elements are strings or raw byte strings. */
export type TensorData =
  | Uint8Array
  | Uint16Array
  | Uint32Array
  | BigUint64Array
  | Int8Array
  | Int16Array
  | Int32Array
  | BigInt64Array
  | Float32Array
  | Float64Array
  | readonly string[]
  | readonly Uint8Array[];

/** `data.length` equals the product of `shape` (1 for an empty shape). */
export interface Tensor {
  readonly datatype: Datatype;
  readonly shape: readonly number[];
  readonly data: TensorData;
}

export type TensorMap = Readonly<Record<string, Tensor>>;

/** −1 in `shape` allows any size. */
export interface TensorType {
  readonly name: string;
  readonly datatype: Datatype;
  readonly shape: readonly number[];
}

/** 1 for a scalar. */
export function elementCount(shape: readonly number[]): number {
  let count = 1;
  for (const size of shape) count *= size;
  return count;
}

export type NumericDatatype = Exclude<Datatype, 'BYTES'>;

export type NumericData = Exclude<TensorData, readonly unknown[]>;

/** Constructs zeros, or a view of bytes. */
export interface NumericStorage {
  readonly name: string;
  readonly BYTES_PER_ELEMENT: number;
  new (length: number): NumericData;
  new (buffer: ArrayBufferLike, byteOffset?: number, length?: number): NumericData;
}

export const numericStorage: Readonly<Record<NumericDatatype, NumericStorage>> = {
  BOOL: Uint8Array,
  UINT8: Uint8Array,
  UINT16: Uint16Array,
  UINT32: Uint32Array,
  UINT64: BigUint64Array,
  INT8: Int8Array,
  INT16: Int16Array,
  INT32: Int32Array,
  INT64: BigInt64Array,
  FP16: Uint16Array,
  FP32: Float32Array,
  FP64: Float64Array,
};

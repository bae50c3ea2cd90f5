/** The typed array that holds the elements of each numeric data type; FP16 as its bits. */
import type { Datatype, TensorData } from './tensor.js';

/** Data types whose elements are numbers. */
export type NumericDatatype = Exclude<Datatype, 'BYTES'>;

/** Elements of a numeric tensor, row-major. */
export type NumericData = Exclude<TensorData, readonly unknown[]>;

/** Makes the elements: zeros of a number, or a view of bytes from an offset on. */
export interface NumericStorage {
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

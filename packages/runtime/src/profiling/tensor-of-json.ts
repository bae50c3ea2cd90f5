/** Nested JSON arrays as a tensor of a declared type, for sample files that people write. */
import type { Datatype, Tensor, TensorData, TensorType } from '@equipoise/core/model';

type NumericDatatype = Exclude<Datatype, 'BYTES' | 'INT64' | 'UINT64' | 'FP16'>;

const storage: Readonly<Record<NumericDatatype, (values: readonly number[]) => TensorData>> = {
  BOOL: (values) => Uint8Array.from(values, Number),
  UINT8: (values) => Uint8Array.from(values),
  UINT16: (values) => Uint16Array.from(values),
  UINT32: (values) => Uint32Array.from(values),
  INT8: (values) => Int8Array.from(values),
  INT16: (values) => Int16Array.from(values),
  INT32: (values) => Int32Array.from(values),
  FP32: (values) => Float32Array.from(values),
  FP64: (values) => Float64Array.from(values),
};

function shapeOf(value: unknown): readonly number[] {
  return Array.isArray(value) ? [value.length, ...(value.length === 0 ? [] : shapeOf(value[0]))] : [];
}

const isRegular = (value: unknown, shape: readonly number[]): boolean =>
  shape.length === 0
    ? !Array.isArray(value)
    : Array.isArray(value) && value.length === shape[0] && value.every((part) => isRegular(part, shape.slice(1)));

const fits = (shape: readonly number[], declared: readonly number[]): boolean =>
  shape.length === declared.length && declared.every((size, dimension) => size === -1 || size === shape[dimension]);

function storedData(values: readonly unknown[], datatype: Datatype): TensorData | string {
  if (datatype === 'BYTES')
    return values.every((value) => typeof value === 'string') ? (values as readonly string[]) : 'strings expected';
  if (datatype === 'FP16') return 'FP16 has no JSON form; declare FP32';
  const scalar = datatype === 'BOOL' ? 'boolean' : 'number';
  if (!values.every((value) => typeof value === scalar)) return `${scalar}s expected`;
  if (datatype.includes('INT') && !values.every(Number.isInteger)) return 'whole numbers expected';
  if (datatype === 'INT64') return BigInt64Array.from(values as readonly number[], BigInt);
  if (datatype === 'UINT64') return BigUint64Array.from(values as readonly number[], BigInt);
  return storage[datatype](values as readonly number[]);
}

/** The tensor that `value` writes out, or in words why it is none of that type. */
export function tensorOfJson(value: unknown, type: TensorType): Tensor | string {
  const shape = shapeOf(value);
  if (!isRegular(value, shape)) return 'rows of unequal length';
  if (!fits(shape, type.shape)) return `shape [${shape.join(', ')}] where [${type.shape.join(', ')}] is declared`;
  const values: readonly unknown[] = Array.isArray(value) ? value.flat(Number.POSITIVE_INFINITY) : [value];
  const data = storedData(values, type.datatype);
  return typeof data === 'string' ? data : { datatype: type.datatype, shape, data };
}

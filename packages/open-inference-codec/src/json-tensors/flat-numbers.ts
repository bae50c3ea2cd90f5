/**
 * Converts flat lists of numbers without a call per element, which would box every number. At thousands of requests per
 * second, garbage collection would then dominate latency.
 */
import type { Datatype, TensorData } from '@equipoise/core/model';
import { shortFloat } from './short-float.js';

type NumberStorage = Exclude<TensorData, readonly unknown[] | BigInt64Array | BigUint64Array>;

const floats: ReadonlySet<Datatype> = new Set(['FP32', 'FP64']);
const integers: ReadonlySet<Datatype> = new Set(['UINT8', 'UINT16', 'UINT32', 'INT8', 'INT16', 'INT32']);

/** Numbers of JSON values. Undefined if a value does not fit or the data type is not handled here. */
export function numbersOfJson(
  datatype: Datatype,
  values: readonly unknown[],
  allocate: (length: number) => TensorData,
): TensorData | undefined {
  const isFloat = floats.has(datatype);
  if (!isFloat && !integers.has(datatype)) return undefined;
  const numbers = allocate(values.length) as NumberStorage;
  for (let index = 0; index < values.length; index++) {
    const value = values[index];
    if (typeof value !== 'number') return undefined;
    numbers[index] = value;
    // The stored value differs if the integer is out of range or fractional. A too large float becomes infinite.
    const stored = numbers[index] as number;
    if (isFloat ? !Number.isFinite(stored) : stored !== value) return undefined;
  }
  return numbers;
}

/**
 * JSON of numbers, with null for NaN and infinities; undefined for other data types. One engine call converts them all.
 * For single calls, the engine would cache each text until a full collection.
 */
export function jsonOfNumbers(datatype: Datatype, data: TensorData): string | undefined {
  if (!floats.has(datatype) && !integers.has(datatype)) return undefined;
  const numbers: number[] = [];
  const stored = data as NumberStorage;
  if (datatype === 'FP32') {
    for (let index = 0; index < stored.length; index++) numbers.push(shortFloat(stored[index] as number));
  } else for (let index = 0; index < stored.length; index++) numbers.push(stored[index] as number);
  return JSON.stringify(numbers);
}

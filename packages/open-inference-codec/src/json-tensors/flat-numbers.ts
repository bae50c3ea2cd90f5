/**
 * Flat lists of numbers in one pass, without a function call for each element: that would make an object of every number, and at
 * thousands of requests per second the collection of these objects is what requests wait for.
 */
import type { Datatype, TensorData } from '@equipoise/core/model';

type NumberStorage = Exclude<TensorData, readonly unknown[] | BigInt64Array | BigUint64Array>;

const floats: ReadonlySet<Datatype> = new Set(['FP32', 'FP64']);
const integers: ReadonlySet<Datatype> = new Set(['UINT8', 'UINT16', 'UINT32', 'INT8', 'INT16', 'INT32']);

/** The values as elements; undefined when one of them is no element of this data type, or this is no plain number type. */
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
    // What was stored tells: an integer that is out of range or has a fraction comes out changed, a float that is too large infinite.
    const stored = numbers[index] as number;
    if (isFloat ? !Number.isFinite(stored) : stored !== value) return undefined;
  }
  return numbers;
}

/**
 * The elements as one flat JSON array, null for NaN and the infinities, which JSON has not; undefined when this is no plain number type.
 * Written by the engine as a whole: it caches the text of every number that is made a string alone, and moves these texts to where only
 * the large collections come.
 */
export function jsonOfNumbers(datatype: Datatype, data: TensorData): string | undefined {
  if (!floats.has(datatype) && !integers.has(datatype)) return undefined;
  const numbers: number[] = [];
  for (let index = 0; index < data.length; index++) numbers.push((data as NumberStorage)[index] as number);
  return JSON.stringify(numbers);
}

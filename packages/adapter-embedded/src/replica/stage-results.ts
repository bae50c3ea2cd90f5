/**
 * Checks that a stage returned one map of tensors per item. A buffer returned twice is empty the second time, because
 * it was transferred; the length check finds that.
 */
import { type Datatype, elementCount, type Tensor, type TensorMap } from '@equipoise/core/model';

const storages: Readonly<Record<Datatype, string>> = {
  BOOL: 'Uint8Array',
  UINT8: 'Uint8Array',
  UINT16: 'Uint16Array',
  UINT32: 'Uint32Array',
  UINT64: 'BigUint64Array',
  INT8: 'Int8Array',
  INT16: 'Int16Array',
  INT32: 'Int32Array',
  INT64: 'BigInt64Array',
  FP16: 'Uint16Array',
  FP32: 'Float32Array',
  FP64: 'Float64Array',
  BYTES: 'Array',
};

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const kindOf = (value: unknown): string =>
  Object.prototype.toString.call(Buffer.isBuffer(value) ? new Uint8Array() : value).slice('[object '.length, -1);

const isShape = (value: unknown): value is readonly number[] =>
  Array.isArray(value) && value.every((size) => Number.isInteger(size) && size >= 0);

const isBytes = (data: unknown): boolean =>
  Array.isArray(data) && data.every((element) => typeof element === 'string' || element instanceof Uint8Array);

function tensorProblem(value: unknown): string | undefined {
  if (!isRecord(value)) return `expected a tensor {datatype, shape, data}, found ${kindOf(value)}`;
  const { datatype, shape, data } = value as Partial<Tensor>;
  const storage = datatype === undefined ? undefined : storages[datatype];
  if (storage === undefined)
    return `expected a datatype of ${Object.keys(storages).join(', ')}, found ${String(datatype)}`;
  if (!isShape(shape)) return `expected a shape of whole numbers from 0, found ${JSON.stringify(shape)}`;
  const fits = datatype === 'BYTES' ? isBytes(data) : kindOf(data) === storage;
  if (!fits) return `expected data in a ${storage} for ${datatype}, found ${kindOf(data)}`;
  const { length } = data as readonly unknown[];
  const expected = elementCount(shape);
  if (length === expected) return undefined;
  return `expected ${expected} elements for the shape [${shape.join(', ')}], found ${length}; a returned tensor is given away, return a new one each time`;
}

function resultProblem(result: unknown, index: number): string | undefined {
  if (!isRecord(result)) return `result ${index + 1}: expected an object of tensors by name, found ${kindOf(result)}`;
  for (const [name, value] of Object.entries(result)) {
    const problem = tensorProblem(value);
    if (problem !== undefined) return `result ${index + 1}, tensor '${name}': ${problem}`;
  }
  return undefined;
}

/** Throws an Error that names the bad result and the expected one. */
export function checkedResults(results: unknown, batchSize: number): readonly TensorMap[] {
  if (!Array.isArray(results))
    throw new Error(`run must return an array of ${batchSize} results, found ${kindOf(results)}`);
  if (results.length !== batchSize) throw new Error(`run must return ${batchSize} results, found ${results.length}`);
  for (const [index, result] of results.entries()) {
    const problem = resultProblem(result, index);
    if (problem !== undefined) throw new Error(problem);
  }
  return results as readonly TensorMap[];
}

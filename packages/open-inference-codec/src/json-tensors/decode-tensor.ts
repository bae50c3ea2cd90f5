/**
 * Decodes JSON values as tensors. It checks the structure before it allocates. Messages name the tensor and a wrong
 * element's index, never the value.
 */
import {
  AppError,
  boundedName,
  type Datatype,
  elementCount,
  type Tensor,
  type TensorType,
} from '@equipoise/core/model';
import { elementType } from './element-types.js';
import { numbersOfJson } from './flat-numbers.js';

/** Decodes one flat array, or nested arrays of `shape`; throws TENSOR_MISMATCH. */
export function decodeTensor(type: TensorType, shape: readonly number[], data: readonly unknown[]): Tensor {
  const count = elementCount(shape);
  const { datatype } = type;
  const numbers = data.length === count ? numbersOfJson(datatype, data, elementType(datatype).allocate) : undefined;
  if (numbers !== undefined) return { datatype, shape, data: numbers };
  const nested = data.some(Array.isArray);
  const structure = nested ? shape : [count];
  const problem = structureProblem(data, structure, 0);
  if (problem !== undefined) throw tensorMismatch(type.name, `${problem} for shape ${bracketed(shape)}`);
  return { datatype, shape, data: readElements(type, data, count) };
}

/** Decodes nested arrays (for a scalar, a bare value) and infers their shape; throws TENSOR_MISMATCH. */
export function decodeNested(type: TensorType, value: unknown): Tensor {
  const shape = shownShape(value, type.shape);
  checkShape(type, shape);
  const problem = structureProblem(value, shape, 0);
  if (problem !== undefined) throw tensorMismatch(type.name, `${problem} for shape ${bracketed(shape)}`);
  const list = Array.isArray(value) ? value : [value];
  return { datatype: type.datatype, shape, data: readElements(type, list, elementCount(shape)) };
}

/**
 * Throws TENSOR_MISMATCH unless `shape` fits the declared shape, where −1 allows any size. In a batch, one more
 * dimension is in front.
 */
export function checkShape(type: TensorType, shape: readonly number[], inBatch = false): void {
  const first = inBatch ? 1 : 0;
  const hasRank = shape.length === type.shape.length + first;
  if (hasRank && type.shape.every((size, i) => size === -1 || size === shape[i + first])) return;
  throw new AppError(
    'TENSOR_MISMATCH',
    `Tensor ${boundedName(type.name)} must have shape ${bracketed(type.shape)}${type.shape.includes(-1) ? ' (-1: any size)' : ''}, found ${bracketed(shape)}.`,
    { details: { tensor: boundedName(type.name), expected: type.shape, found: shape } },
  );
}

export function tensorMismatch(name: string, problem: string): AppError {
  const tensor = boundedName(name);
  return new AppError('TENSOR_MISMATCH', `Tensor ${tensor}: ${problem}.`, { details: { tensor } });
}

function readElements(type: TensorType, data: readonly unknown[], length: number): Tensor['data'] {
  const { allocate, expected, read } = elementType(type.datatype);
  const storage = allocate(length);
  let next = 0;
  const take = (values: readonly unknown[]): void => {
    for (const value of values) {
      if (Array.isArray(value)) take(value);
      else {
        const element = read(value);
        if (element === undefined) throw notOfType(type, next, expected);
        storage[next++] = element;
      }
    }
  };
  take(data);
  return storage;
}

function notOfType(
  { name, datatype }: { name: string; datatype: Datatype },
  index: number,
  expected: string,
): AppError {
  return new AppError(
    'TENSOR_MISMATCH',
    `Tensor ${boundedName(name)}: element ${index} (counted in row-major order from 0) is not of type ${datatype}: ${expected}.`,
    { details: { tensor: boundedName(name), datatype, index } },
  );
}

function structureProblem(value: unknown, shape: readonly number[], depth: number): string | undefined {
  if (depth === shape.length) return Array.isArray(value) ? deeperThan(shape) : undefined;
  if (!Array.isArray(value)) return `expected an array of ${shape[depth]}, found a single value`;
  if (value.length !== shape[depth]) return `${value.length} elements where ${shape[depth]} were expected`;
  if (depth === shape.length - 1) return value.some(Array.isArray) ? deeperThan(shape) : undefined;
  for (const part of value) {
    const problem = structureProblem(part, shape, depth + 1);
    if (problem !== undefined) return problem;
  }
  return undefined;
}

function deeperThan(shape: readonly number[]): string {
  return `arrays are nested deeper than ${shape.length}`;
}

/** Shape of a value. Dimensions inside an empty array have declared sizes. */
function shownShape(value: unknown, declared: readonly number[]): readonly number[] {
  const shape: number[] = [];
  for (let part = value; Array.isArray(part) && shape.length <= declared.length; part = part[0]) {
    shape.push(part.length);
    if (part.length === 0) return [...shape, ...declared.slice(shape.length).map((size) => Math.max(0, size))];
  }
  return shape;
}

function bracketed(shape: readonly number[]): string {
  return `[${shape.join(', ')}]`;
}

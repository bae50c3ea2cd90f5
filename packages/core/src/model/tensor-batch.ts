/**
 * Several tensors as one and back, along a new leading dimension: [..s] × k ↔ [k, ..s].
 * A fan-out cuts the tensors of a stage apart, a join and a batched model put them together. Stacking copies once
 * (a single tensor is only reshaped); unstacking gives views of the one buffer, so its parts must not be changed in place.
 */
import { invariant } from '../kernel/invariant.js';
import { AppError } from './app-error.js';
import { type Datatype, elementCount, type Tensor, type TensorData } from './tensor.js';

type NumericData = Exclude<TensorData, readonly unknown[]>;
type NumericDatatype = Exclude<Datatype, 'BYTES'>;

const numericStorage: Readonly<Record<NumericDatatype, new (length: number) => NumericData>> = {
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

const isElementList = (data: TensorData): data is readonly string[] | readonly Uint8Array[] => Array.isArray(data);

const describe = (tensor: Tensor): string => `${tensor.datatype} [${tensor.shape.join(', ')}]`;

function sameKind(a: Tensor, b: Tensor): boolean {
  return (
    a.datatype === b.datatype &&
    a.shape.length === b.shape.length &&
    a.shape.every((size, dimension) => size === b.shape[dimension])
  );
}

function concatenate(tensors: readonly Tensor[], first: Tensor): TensorData {
  if (first.datatype === 'BYTES') return tensors.flatMap(({ data }) => data as readonly string[]);
  const step = elementCount(first.shape);
  const all = new numericStorage[first.datatype](step * tensors.length);
  tensors.forEach(({ data }, index) => {
    // Equal data types have equal element types, which the compiler cannot see through the union.
    all.set(data as unknown as ArrayLike<number> & ArrayLike<bigint>, index * step);
  });
  return all;
}

/**
 * Stacks k ≥ 1 tensors of equal shape [..s] and data type into one of shape [k, ..s];
 * unequal ones are an AppError TENSOR_MISMATCH that names both.
 */
export function stackTensors(tensors: readonly Tensor[]): Tensor {
  const [first] = tensors;
  invariant(first !== undefined, 'stackTensors needs at least one tensor');
  const odd = tensors.findIndex((tensor) => !sameKind(first, tensor));
  const other = tensors[odd];
  if (other !== undefined) {
    throw new AppError(
      'TENSOR_MISMATCH',
      `Tensors stacked together must be equal in data type and shape: the first is ${describe(first)}, number ${odd + 1} is ${describe(other)}.`,
      { details: { expected: describe(first), found: describe(other), index: odd } },
    );
  }
  return {
    datatype: first.datatype,
    shape: [tensors.length, ...first.shape],
    data: tensors.length === 1 ? first.data : concatenate(tensors, first),
  };
}

/** Cuts a tensor of shape [k, ..s] into k tensors of shape [..s] without copying; a scalar is an AppError TENSOR_MISMATCH. */
export function unstackTensor(tensor: Tensor): Tensor[] {
  const [count, ...shape] = tensor.shape;
  if (count === undefined) {
    throw new AppError('TENSOR_MISMATCH', `A scalar ${tensor.datatype} has no leading dimension to be cut along.`);
  }
  const { datatype, data } = tensor;
  const step = elementCount(shape);
  return Array.from({ length: count }, (_, index) => {
    const from = index * step;
    const part = isElementList(data) ? data.slice(from, from + step) : data.subarray(from, from + step);
    return { datatype, shape, data: part as TensorData };
  });
}

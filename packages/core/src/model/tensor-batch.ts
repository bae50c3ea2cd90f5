/**
 * Stacks tensors along a new leading dimension ([..s] × k ↔ [k, ..s]), concatenates them along the existing one, and
 * cuts them. Joining copies at most once. Cutting numbers returns views of one buffer, so parts must not be modified.
 */
import { invariant } from '../kernel/invariant.js';
import { AppError } from './app-error.js';
import { elementCount, numericStorage, type Tensor, type TensorData } from './tensor.js';

const isElementList = (data: TensorData): data is readonly string[] | readonly Uint8Array[] => Array.isArray(data);

const describe = (tensor: Tensor): string => `${tensor.datatype} [${tensor.shape.join(', ')}]`;

function sameType(a: Tensor, b: Tensor): boolean {
  return (
    a.datatype === b.datatype &&
    a.shape.length === b.shape.length &&
    a.shape.every((size, dimension) => size === b.shape[dimension])
  );
}

/** Throws unless all tensors, as changed by `compared`, have the same type. */
function requireAlike(tensors: readonly Tensor[], compared: (tensor: Tensor) => Tensor): Tensor {
  const [first, ...others] = tensors;
  invariant(first !== undefined, 'there is at least one tensor to put together');
  const odd = others.findIndex((tensor) => !sameType(compared(first), compared(tensor)));
  const other = others[odd];
  if (other === undefined) return first;
  throw new AppError(
    'TENSOR_MISMATCH',
    `Joined tensors must be equal in data type and shape: the first is ${describe(first)}, number ${odd + 2} is ${describe(other)}.`,
    { details: { expected: describe(first), found: describe(other), index: odd + 1 } },
  );
}

function concatenateData(tensors: readonly Tensor[], { datatype, data: firstData }: Tensor): TensorData {
  if (tensors.length === 1) return firstData;
  if (datatype === 'BYTES') return tensors.flatMap(({ data }) => data as readonly string[]);
  const all = new numericStorage[datatype](tensors.reduce((sum, { data }) => sum + data.length, 0));
  let from = 0;
  for (const { data } of tensors) {
    // The compiler does not know that the element types are equal.
    all.set(data as unknown as ArrayLike<number> & ArrayLike<bigint>, from);
    from += data.length;
  }
  return all;
}

function leadingSize(tensor: Tensor): number {
  const [size] = tensor.shape;
  if (size !== undefined) return size;
  throw new AppError('TENSOR_MISMATCH', `A scalar ${tensor.datatype} has no leading dimension.`);
}

/** k ≥ 1 tensors of shape [..s] become [k, ..s]. Throws AppError TENSOR_MISMATCH for unlike tensors. */
export function stackTensors(tensors: readonly Tensor[]): Tensor {
  const first = requireAlike(tensors, (tensor) => tensor);
  return { datatype: first.datatype, shape: [tensors.length, ...first.shape], data: concatenateData(tensors, first) };
}

/**
 * Tensors of shapes [r, ..s] that differ only in r become [Σr, ..s]. Throws AppError TENSOR_MISMATCH for other tensors.
 */
export function concatenateTensors(tensors: readonly Tensor[]): Tensor {
  const rows = tensors.reduce((sum, tensor) => sum + leadingSize(tensor), 0);
  const first = requireAlike(tensors, (tensor) => ({ ...tensor, shape: tensor.shape.slice(1) }));
  return { datatype: first.datatype, shape: [rows, ...first.shape.slice(1)], data: concatenateData(tensors, first) };
}

/** View of rows `from` to `to` (exclusive). Throws AppError TENSOR_MISMATCH for a scalar. */
export function sliceTensor(tensor: Tensor, from: number, to: number): Tensor {
  invariant(0 <= from && from <= to && to <= leadingSize(tensor), `rows ${from} to ${to} lie in ${describe(tensor)}`);
  const { datatype, data } = tensor;
  const rowShape = tensor.shape.slice(1);
  const step = elementCount(rowShape);
  const part = isElementList(data) ? data.slice(from * step, to * step) : data.subarray(from * step, to * step);
  return { datatype, shape: [to - from, ...rowShape], data: part as TensorData };
}

/** Views of the rows, of shape [..s]. Throws AppError TENSOR_MISMATCH for a scalar. */
export function unstackTensor(tensor: Tensor): Tensor[] {
  const shape = tensor.shape.slice(1);
  return Array.from({ length: leadingSize(tensor) }, (_, row) => ({ ...sliceTensor(tensor, row, row + 1), shape }));
}

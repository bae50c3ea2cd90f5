import { AppError, elementCount, type Tensor, type TensorMap, type TensorType } from '@equipoise/core/model';

type Typed = Pick<Tensor, 'datatype' | 'shape'>;

const described = ({ datatype, shape }: Typed): string =>
  `${datatype} [${shape.map((size) => (size < 0 ? 'any' : size)).join(', ')}]`;

const listed = (names: readonly string[]): string => (names.length > 0 ? names.join(', ') : 'none');

function mismatch(message: string, expected: string, found: string): AppError {
  return new AppError('TENSOR_MISMATCH', `${message}: expected ${expected}, found ${found}.`, {
    details: { expected, found },
  });
}

const fits = (declared: TensorType, tensor: Typed): boolean =>
  declared.datatype === tensor.datatype &&
  declared.shape.length === tensor.shape.length &&
  declared.shape.every((size, dimension) => size < 0 || size === tensor.shape[dimension]);

function checkTensor(declared: TensorType, tensor: Tensor): void {
  const title = `Input '${declared.name}' does not fit the model`;
  if (!fits(declared, tensor)) throw mismatch(title, described(declared), described(tensor));
  const elements = elementCount(tensor.shape);
  if (tensor.data.length !== elements) {
    throw mismatch(title, `${elements} elements for ${described(tensor)}`, `${tensor.data.length} elements`);
  }
}

/** Throws TENSOR_MISMATCH unless `feeds` has exactly the declared names, data types and shapes. */
export function checkFeeds(inputs: readonly TensorType[], feeds: TensorMap): void {
  const expected = inputs.map(({ name }) => name);
  const found = Object.keys(feeds);
  if (expected.length !== found.length || expected.some((name) => !Object.hasOwn(feeds, name))) {
    throw mismatch('The input names do not fit the model', listed(expected), listed(found));
  }
  for (const declared of inputs) checkTensor(declared, feeds[declared.name] as Tensor);
}

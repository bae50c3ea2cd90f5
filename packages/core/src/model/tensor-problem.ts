import { boundedName } from './bounded-text.js';
import { elementCount, numericStorage, type Tensor } from './tensor.js';

const DATATYPES = [...Object.keys(numericStorage), 'BYTES'];

const isShape = (value: unknown): value is readonly number[] =>
  Array.isArray(value) && value.every((size) => Number.isSafeInteger(size) && size >= 0);

/** Class of a value, as `Float32Array` or `Null`. */
export const kindOf = (value: unknown): string => Object.prototype.toString.call(value).slice('[object '.length, -1);

const isBytesElement = (element: unknown): boolean =>
  typeof element === 'string' || element instanceof Uint8Array || kindOf(element) === 'Uint8Array';

/**
 * Says how a value differs from a tensor; undefined if it is one. Looks at each element of BYTES, but at no number.
 * `countHint` is added to the text about a wrong number of elements.
 */
export function tensorProblem(value: unknown, countHint = ''): string | undefined {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    return `expected a tensor {datatype, shape, data}, found ${kindOf(value)}`;
  const { datatype, shape, data } = value as Readonly<Record<keyof Tensor, unknown>>;
  if (typeof datatype !== 'string' || !DATATYPES.includes(datatype))
    return `expected a datatype of ${DATATYPES.join(', ')}, found ${typeof datatype === 'string' ? boundedName(datatype) : kindOf(datatype)}`;
  if (!isShape(shape)) return `expected a shape of whole numbers from 0, found ${shapeText(shape)}`;
  const storage = datatype === 'BYTES' ? 'Array' : numericStorage[datatype as keyof typeof numericStorage].name;
  if (kindOf(data) !== storage)
    return `expected data in ${storage === 'Array' ? 'an' : 'a'} ${storage} for ${datatype}, found ${kindOf(data)}`;
  const elements = data as readonly unknown[];
  const expected = elementCount(shape);
  if (elements.length !== expected)
    return `expected ${expected} elements for the shape [${shape.join(', ')}], found ${elements.length}${countHint}`;
  const odd = datatype === 'BYTES' ? elements.findIndex((element) => !isBytesElement(element)) : -1;
  if (odd < 0) return undefined;
  return `expected data in an Array for BYTES, of strings and Uint8Arrays, found ${kindOf(elements[odd])} at ${odd}`;
}

const shapeText = (shape: unknown): string =>
  Array.isArray(shape) ? boundedName(`[${shape.map(kindOrNumber).join(', ')}]`) : kindOf(shape);

const kindOrNumber = (size: unknown): string =>
  typeof size === 'number' || typeof size === 'bigint' ? String(size) : kindOf(size);

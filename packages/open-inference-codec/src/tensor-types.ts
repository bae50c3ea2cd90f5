import {
  AppError,
  boundedName,
  type Datatype,
  elementCount,
  type Tensor,
  type TensorMap,
  type TensorType,
} from '@equipoise/core/model';
import { checkShape, tensorMismatch } from './json-tensors/decode-tensor.js';
import { isDatatype } from './json-tensors/element-types.js';

const MOST_DIMENSIONS = 32;
/** Maximum rows without elements: such rows cost clients nothing but take time to process. */
const MOST_EMPTY_ROWS = 65_536;
const MOST_NAMES = 64;
/** Maximum BYTES elements of a request, apart from texts in JSON. Even an empty element takes 0.6 µs to decode. */
const MOST_BYTES_ELEMENTS = 32_768;
/** Maximum characters of the id and the output names of a request, which stay in memory until its answer. */
const MOST_NAME_CHARACTERS = 16_384;

/** Tensors of an optional source come together or not at all. */
export interface DeclaredInput extends TensorType {
  readonly optionalSource?: string;
}

export interface StatedType {
  readonly name: string;
  readonly datatype: unknown;
  readonly shape: unknown;
}

/** Checks a stated type, apart from the declared shape; throws TENSOR_MISMATCH. */
export function checkedType({ name, datatype, shape }: StatedType, declared?: TensorType): TensorType {
  if (!isDatatype(datatype)) {
    throw tensorMismatch(name, `its datatype must be ${declared?.datatype ?? 'one of the protocol'}`);
  }
  if (declared !== undefined && declared.datatype !== datatype) {
    throw tensorMismatch(name, `its datatype must be ${declared.datatype}, found ${datatype satisfies Datatype}`);
  }
  if (!isShape(shape)) {
    throw tensorMismatch(name, `its shape must be an array of at most ${MOST_DIMENSIONS} integers of at least 0`);
  }
  if (emptyRows(shape) > MOST_EMPTY_ROWS) {
    throw tensorMismatch(name, `the dimensions in front of its first 0 may hold at most ${MOST_EMPTY_ROWS} rows`);
  }
  return { name, datatype, shape };
}

/**
 * Collects the inputs of a request. If `declared` is empty, any input fits. In a client batch, each input has one more
 * dimension than declared, in front: the number of items.
 */
export class InputCollection {
  readonly #declared: readonly DeclaredInput[];
  readonly #tensors = new Map<string, Tensor>();
  #items: number | undefined;
  #bytesElements = 0;

  constructor(declared: readonly DeclaredInput[]) {
    this.#declared = declared;
  }

  /** Number of items of a client batch; undefined for a single item. */
  get items(): number | undefined {
    return this.#items;
  }

  /**
   * Checks the stated type of the next input; throws also if the input is unknown or repeated, and BODY_TOO_LARGE for too
   * many BYTES elements.
   */
  typeOf(stated: StatedType, isJsonText = false): TensorType {
    const { name } = stated;
    const declared = this.#declared.find((input) => input.name === name);
    if (declared === undefined && this.#declared.length > 0) throw unknownInput(name, this.#declared);
    if (this.#tensors.has(name)) {
      throw new AppError('MALFORMED_REQUEST', `The input ${boundedName(name)} appears twice.`);
    }
    const type = checkedType(stated, declared);
    if (declared !== undefined) this.#checkShape(declared, type.shape);
    if (type.datatype === 'BYTES' && !isJsonText) this.#bytesElements += elementCount(type.shape);
    if (this.#bytesElements <= MOST_BYTES_ELEMENTS) return type;
    const message = `The request has more than ${MOST_BYTES_ELEMENTS} BYTES elements. Send several requests, or texts in JSON.`;
    throw new AppError('BODY_TOO_LARGE', message, { details: { limit: 'elements', most: MOST_BYTES_ELEMENTS } });
  }

  add(name: string, tensor: Tensor): void {
    this.#tensors.set(name, tensor);
  }

  /** All inputs; throws TENSOR_MISMATCH if a declared input is missing, unless all of its optional source are. */
  all(): TensorMap {
    requireInputs(this.#declared, (name) => this.#tensors.has(name));
    return Object.fromEntries(this.#tensors);
  }

  #checkShape(declared: TensorType, shape: readonly number[]): void {
    const items = shape.length === declared.shape.length + 1 ? shape[0] : undefined;
    checkShape(declared, shape, items !== undefined);
    if (items === 0) throw new AppError('BATCH_SIZE_INVALID', 'The batch has no items: its leading dimension is 0.');
    if (this.#tensors.size === 0) this.#items = items;
    else if (items !== this.#items) {
      throw tensorMismatch(
        declared.name,
        `all inputs need the same number of items in front of their declared shapes; the first has ${this.#items ?? 'none'}, this one ${items ?? 'none'}`,
      );
    }
  }
}

/** Throws TENSOR_MISMATCH if a declared input is missing, unless all of its optional source are. */
export function requireInputs(declared: readonly DeclaredInput[], isGiven: (name: string) => boolean): void {
  const given = declared.filter(({ name }) => isGiven(name));
  const missing = declared.find(
    ({ name, optionalSource }) =>
      !isGiven(name) &&
      (optionalSource === undefined ||
        given.length === 0 ||
        given.some((other) => other.optionalSource === optionalSource)),
  );
  if (missing !== undefined) throw tensorMismatch(missing.name, 'this input is missing');
}

/** Throws BODY_TOO_LARGE if the id and the output names of a request are too long. */
export function checkNames(id: string | undefined, outputs: readonly string[]): void {
  const characters = outputs.reduce((sum, { length }) => sum + length, id?.length ?? 0);
  if (characters <= MOST_NAME_CHARACTERS) return;
  const message = `The id and the names of the requested outputs have more than ${MOST_NAME_CHARACTERS} characters.`;
  throw new AppError('BODY_TOO_LARGE', message, { details: { limit: 'names', most: MOST_NAME_CHARACTERS } });
}

/** Finds an output; otherwise throws TENSOR_MISMATCH that names the outputs. */
export function wantedOutput(outputs: TensorMap, name: string): Tensor {
  const tensor = Object.hasOwn(outputs, name) ? outputs[name] : undefined;
  if (tensor !== undefined) return tensor;
  const names = Object.keys(outputs).slice(0, MOST_NAMES).map(boundedName);
  const message = `There is no output ${boundedName(name)}; the outputs are ${names.join(', ')}.`;
  throw new AppError('TENSOR_MISMATCH', message, { details: { outputs: names } });
}

function isShape(shape: unknown): shape is readonly number[] {
  return (
    Array.isArray(shape) &&
    shape.length <= MOST_DIMENSIONS &&
    shape.every((size) => Number.isSafeInteger(size) && size >= 0)
  );
}

/** Rows of an empty tensor: product of the dimensions before its first 0; 0 if no dimension is 0. */
function emptyRows(shape: readonly number[]): number {
  const zero = shape.indexOf(0);
  return zero < 0 ? 0 : elementCount(shape.slice(0, zero));
}

function unknownInput(given: string, inputs: readonly TensorType[]): AppError {
  const names = inputs.map(({ name }) => name);
  const message = `There is no input ${boundedName(given)}; the inputs are ${names.join(', ')}.`;
  return new AppError('TENSOR_MISMATCH', message, { details: { inputs: names } });
}

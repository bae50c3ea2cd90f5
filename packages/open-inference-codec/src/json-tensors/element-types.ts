/**
 * Data types of elements in JSON. For 64-bit integers, decimal strings are accepted, too, because parsers round numbers
 * beyond ±(2^53 − 1).
 */
import type { Datatype, TensorData } from '@equipoise/core/model';
import { shortFloat } from './short-float.js';

type ElementStorage = { [index: number]: number | bigint | string } & TensorData;

interface ElementType {
  readonly expected: string;
  readonly allocate: (length: number) => ElementStorage;
  /** Element for a JSON value; undefined if the value is invalid. */
  readonly read: (value: unknown) => number | bigint | string | undefined;
  /** JSON value for an element; undefined for NaN and ±Infinity, which JSON lacks. */
  readonly write: (element: number | bigint) => number | bigint | boolean | undefined;
}

type NumberArray = new (length: number) => Uint8Array | Uint16Array | Uint32Array | Int8Array | Int16Array | Int32Array;

function integers(storage: NumberArray, lowest: number, highest: number): ElementType {
  return {
    expected: `an integer from ${lowest} to ${highest}`,
    allocate: (length) => new storage(length) as ElementStorage,
    read: (value) =>
      Number.isInteger(value) && Number(value) >= lowest && Number(value) <= highest ? Number(value) : undefined,
    write: (element) => element,
  };
}

function bigIntegers(
  storage: typeof BigInt64Array | typeof BigUint64Array,
  lowest: bigint,
  highest: bigint,
): ElementType {
  return {
    expected: `an integer from ${lowest} to ${highest}, as a decimal string when it is beyond ±9007199254740991`,
    allocate: (length) => new storage(length) as ElementStorage,
    read: (value) => {
      const decimal = typeof value === 'string' && /^-?\d{1,20}$/.test(value);
      if (!decimal && !Number.isSafeInteger(value)) return undefined;
      const integer = BigInt(value as string | number);
      return integer >= lowest && integer <= highest ? integer : undefined;
    },
    write: (element) => element,
  };
}

const finiteOnly = (element: number | bigint) => (Number.isFinite(element) ? element : undefined);

const types: Readonly<Record<Datatype, ElementType>> = {
  BOOL: {
    expected: 'true or false',
    allocate: (length) => new Uint8Array(length) as ElementStorage,
    read: (value) => (value === true || value === 1 ? 1 : value === false || value === 0 ? 0 : undefined),
    write: (element) => element !== 0,
  },
  UINT8: integers(Uint8Array, 0, 255),
  UINT16: integers(Uint16Array, 0, 65535),
  UINT32: integers(Uint32Array, 0, 4294967295),
  UINT64: bigIntegers(BigUint64Array, 0n, 2n ** 64n - 1n),
  INT8: integers(Int8Array, -128, 127),
  INT16: integers(Int16Array, -32768, 32767),
  INT32: integers(Int32Array, -2147483648, 2147483647),
  INT64: bigIntegers(BigInt64Array, -(2n ** 63n), 2n ** 63n - 1n),
  FP16: {
    expected: 'a number within ±65504',
    allocate: (length) => new Uint16Array(length) as ElementStorage,
    read: (value) => (typeof value === 'number' && Math.abs(value) < HALF_OVERFLOW ? halfOfNumber(value) : undefined),
    write: (element) => finiteOnly(numberOfHalf(Number(element))),
  },
  FP32: {
    expected: 'a number within ±3.4028234663852886e+38',
    allocate: (length) => new Float32Array(length) as ElementStorage,
    read: (value) => (typeof value === 'number' && Number.isFinite(Math.fround(value)) ? value : undefined),
    write: (element) => finiteOnly(shortFloat(Number(element))),
  },
  FP64: {
    expected: 'a finite number',
    allocate: (length) => new Float64Array(length) as ElementStorage,
    read: (value) => (typeof value === 'number' && Number.isFinite(value) ? value : undefined),
    write: finiteOnly,
  },
  BYTES: {
    expected: 'a string',
    allocate: (length) => new Array<string>(length).fill('') as unknown as ElementStorage,
    read: (value) => (typeof value === 'string' ? value : undefined),
    write: (element) => element,
  },
};

export function elementType(datatype: Datatype): ElementType {
  return types[datatype];
}

export function isDatatype(word: unknown): word is Datatype {
  return typeof word === 'string' && Object.hasOwn(types, word);
}

/** Converts numbers to and from IEEE 754 binary16 (5 exponent bits, bias 15; 10 fraction bits). Ties round to even. */

const scratch = new DataView(new ArrayBuffer(4));

/** Smallest magnitude that rounds to infinity. */
const HALF_OVERFLOW = 65520;

export function numberOfHalf(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0x1f) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  return exponent === 0 ? sign * fraction * 2 ** -24 : sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

/** Bits of a finite number below `HALF_OVERFLOW` in magnitude. */
export function halfOfNumber(value: number): number {
  scratch.setFloat32(0, value);
  const sign = (scratch.getUint32(0) >>> 16) & 0x8000;
  const size = Math.abs(value);
  if (size < 2 ** -14) return sign | roundToEven(size * 2 ** 24);
  const exponent = Math.floor(Math.log2(size));
  const exact = size < 2 ** exponent ? exponent - 1 : size >= 2 ** (exponent + 1) ? exponent + 1 : exponent;
  return sign | (((exact + 15) << 10) + roundToEven((size / 2 ** exact - 1) * 1024));
}

function roundToEven(value: number): number {
  const below = Math.floor(value);
  const rest = value - below;
  if (rest !== 0.5) return Math.round(value);
  return below % 2 === 0 ? below : below + 1;
}

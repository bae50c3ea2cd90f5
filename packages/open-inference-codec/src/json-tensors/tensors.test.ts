import { type Datatype, elementCount, type Tensor, type TensorType } from '@equipoise/core/model';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeNested, decodeTensor } from './decode-tensor.js';
import { halfOfNumber, numberOfHalf } from './element-types.js';
import { encodeFlat, encodeNested } from './encode-tensor.js';

const type = (datatype: Datatype, shape: readonly number[]): TensorType => ({ name: 'x', datatype, shape });
const one = (datatype: Datatype, value: unknown) => decodeTensor(type(datatype, [1]), [1], [value]).data[0];

describe('elements', () => {
  it.each<[Datatype, readonly unknown[], readonly unknown[]]>([
    ['BOOL', [true, false, 0, 1], [2, 'true', null]],
    ['UINT8', [0, 255], [-1, 256, 1.5, '1', true, null, [], {}]],
    ['UINT16', [0, 65535], [-1, 65536]],
    ['UINT32', [0, 4294967295], [-1, 4294967296]],
    ['UINT64', [0, 2 ** 53 - 1, '18446744073709551615'], [-1, 2 ** 53, '18446744073709551616', '-1', '1.5', '0x1', '']],
    ['INT8', [-128, 127], [-129, 128]],
    ['INT16', [-32768, 32767], [-32769, 32768]],
    ['INT32', [-2147483648, 2147483647], [-2147483649, 2147483648, 0.1]],
    [
      'INT64',
      [-(2 ** 53) + 1, '-9223372036854775808', '9223372036854775807'],
      [2 ** 53, '9223372036854775808', '1'.repeat(21)],
    ],
    ['FP16', [0, -65504, 65519.9], [65520, '1', null]],
    ['FP32', [1.5, 3.4028234663852886e38, 1e-50], [3.5e38, Infinity, null, '1']],
    ['FP64', [1.7976931348623157e308], [Infinity, null]],
    ['BYTES', ['', 'ü', '\ud800'], [1, null, ['a', 'b']]],
  ])('of %s are within its range and nothing else', (datatype, taken, refused) => {
    for (const value of taken) expect(one(datatype, value)).toBeDefined();
    for (const value of refused) {
      expect(() => one(datatype, value)).toThrow(expect.objectContaining({ code: 'TENSOR_MISMATCH' }));
    }
  });

  it('are named by index and never quoted', () => {
    const decode = () =>
      decodeTensor(
        type('INT8', [2, 2]),
        [2, 2],
        [
          [1, 2],
          [3, 'hunter2'],
        ],
      );
    expect(decode).toThrow(
      'Tensor x: element 3 (counted in row-major order from 0) is not of type INT8: an integer from -128 to 127.',
    );
  });
});

describe('flat numbers', () => {
  it.each<[Datatype, readonly number[]]>([
    ['INT8', [-128, -0, 127]],
    ['UINT32', [0, 4294967295]],
    ['FP32', [0.1, -0, 1e-50, 3.4028234663852886e38, 1e21]],
    ['FP64', [0.1, 5e-324, 1.7976931348623157e308]],
  ])('of %s come out of one pass as out of the other', (datatype, values) => {
    const flat = decodeTensor(type(datatype, [values.length]), [values.length], values);
    const nested = decodeTensor(type(datatype, [1, values.length]), [1, values.length], [values]);
    expect(flat.data).toEqual(nested.data);
    expect(encodeFlat(flat).json).toBe(encodeNested(flat));
  });

  it('that JSON has not are null', () => {
    const data = Float32Array.of(1, Number.NaN, Number.POSITIVE_INFINITY, -1e10);
    expect(encodeFlat({ datatype: 'FP32', shape: [4], data }).json).toBe('[1,null,null,-10000000000]');
  });
});

describe('structure', () => {
  it.each<[string, readonly number[], unknown[], string]>([
    ['too few', [2, 2], [1, 2, 3], '3 elements where 4 were expected for shape [2, 2]'],
    ['too many', [2], [1, 2, 3], '3 elements where 2 were expected for shape [2]'],
    ['a short row', [2, 2], [[1, 2], [3]], '1 elements where 2 were expected for shape [2, 2]'],
    ['a value among rows', [2, 1], [[1], 2], 'expected an array of 1, found a single value for shape [2, 1]'],
    ['rows in rows', [1, 1], [[[1]]], 'arrays are nested deeper than 2 for shape [1, 1]'],
    ['something for nothing', [0, 9], [1], '1 elements where 0 were expected for shape [0, 9]'],
  ])('of %s is refused', (_, shape, data, message) => {
    expect(() => decodeTensor(type('INT8', shape), shape, data)).toThrow(message);
  });

  it('is refused before anything of its size is allocated', () => {
    const shape = [1, 2 ** 40];
    expect(() => decodeTensor(type('FP64', shape), shape, [[1]])).toThrow('1 elements where 1099511627776');
  });

  it.each<[readonly number[], unknown, readonly number[]]>([
    [[], 7, []],
    [[-1], [], [0]],
    [[-1, 4], [], [0, 4]],
    [
      [2, -1],
      [[], []],
      [2, 0],
    ],
    [[-1, 2], [[1, 2]], [1, 2]],
  ])('is shown by nested arrays: declared %j, given %j', (declared, value, shape) => {
    expect(decodeNested(type('INT8', declared), value).shape).toEqual(shape);
  });

  it.each<[readonly number[], unknown]>([
    [[], [7]],
    [[1], 7],
    [
      [-1, 2],
      [1, 2],
    ],
    [[2], [1, 2, 3]],
    [[-1], [[1]]],
  ])('must be the declared one: %j, not %j', (declared, value) => {
    expect(() => decodeNested(type('INT8', declared), value)).toThrow(/Tensor x must have shape/);
  });
});

describe('JSON', () => {
  const tensors = fc
    .record({
      datatype: fc.constantFrom<Datatype>('BOOL', 'UINT8', 'INT16', 'INT64', 'UINT64', 'FP32', 'FP64', 'BYTES'),
      shape: fc.array(fc.integer({ min: 1, max: 3 }), { maxLength: 3 }),
      seed: fc.array(fc.integer({ min: 0, max: 255 }), { minLength: 27, maxLength: 27 }),
    })
    .map(({ datatype, shape, seed }): Tensor => {
      const values = seed.slice(0, elementCount(shape));
      const asJson = { BOOL: (v: number) => v % 2 === 1, BYTES: (v: number) => `"${v}\n` } as Partial<
        Record<Datatype, (v: number) => unknown>
      >;
      return decodeTensor(type(datatype, shape), shape, values.map(asJson[datatype] ?? ((v) => v)));
    });

  it('reads what it wrote, flat and nested (property)', () => {
    fc.assert(
      fc.property(tensors, (tensor) => {
        const { datatype, shape } = tensor;
        expect(decodeTensor(type(datatype, shape), shape, JSON.parse(encodeFlat(tensor).json))).toEqual(tensor);
        expect(decodeNested(type(datatype, shape), JSON.parse(encodeNested(tensor)))).toEqual(tensor);
      }),
      { seed: 5, numRuns: 300 },
    );
  });

  it('keeps all digits of 64-bit integers', () => {
    const tensor: Tensor = { datatype: 'INT64', shape: [3], data: BigInt64Array.of(2n ** 53n + 1n, -(2n ** 63n), 5n) };
    expect(encodeFlat(tensor).json).toBe('[9007199254740993,-9223372036854775808,5]');
    expect(encodeNested(tensor)).toBe('["9007199254740993","-9223372036854775808",5]');
  });

  it('has null for what is no JSON number, and base64 for bytes that are no text', () => {
    const numbers: Tensor = {
      datatype: 'FP32',
      shape: [4],
      data: Float32Array.of(Number.NaN, Infinity, -Infinity, 1.5),
    };
    expect(encodeFlat(numbers).json).toBe('[null,null,null,1.5]');
    const half: Tensor = { datatype: 'FP16', shape: [2], data: Uint16Array.of(0x3c00, 0x7c00) };
    expect(encodeFlat(half).json).toBe('[1,null]');
    const text: Tensor = { datatype: 'BYTES', shape: [2], data: [Uint8Array.of(0xc3, 0xbc), Uint8Array.of(0x61)] };
    expect(encodeFlat(text)).toEqual({ json: '["ü","a"]', base64: false });
    const bytes: Tensor = { datatype: 'BYTES', shape: [2], data: [Uint8Array.of(0xff), Uint8Array.of(0x61)] };
    expect(encodeFlat(bytes)).toEqual({ json: '["/w==","YQ=="]', base64: true });
  });

  it('has an empty array for a tensor without elements and a bare value for a scalar', () => {
    expect(encodeNested({ datatype: 'FP32', shape: [1e9, 0], data: new Float32Array() })).toBe('[]');
    expect(encodeNested({ datatype: 'BOOL', shape: [], data: Uint8Array.of(1) })).toBe('true');
  });
});

describe('half floats', () => {
  it('go there and back for every pattern that is a number', () => {
    for (let bits = 0; bits < 0x10000; bits++) {
      const value = numberOfHalf(bits);
      if (Number.isFinite(value)) expect(halfOfNumber(value)).toBe(bits);
    }
  });

  it.each([
    [1, 0x3c00],
    [-2, 0xc000],
    [65504, 0x7bff],
    [65519.9, 0x7bff],
    [2 ** -24, 0x0001],
    [2 ** -25, 0x0000],
    [1 + 2 ** -11, 0x3c00],
    [1 + 3 * 2 ** -11, 0x3c02],
    [0.1, 0x2e66],
    [2047.9999, 0x6800],
  ])('round %d to the nearest, ties to even', (value, bits) => {
    expect(halfOfNumber(value)).toBe(bits);
  });
});

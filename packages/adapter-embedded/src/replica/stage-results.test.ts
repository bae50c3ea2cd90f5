import { describe, expect, it } from 'vitest';
import { checkedResults } from './stage-results.js';

const good = { datatype: 'FP32', shape: [2], data: Float32Array.of(1, 2) };

describe('checkedResults', () => {
  it.each([
    ['numbers', good],
    ['a scalar', { datatype: 'INT64', shape: [], data: BigInt64Array.of(1n) }],
    ['text', { datatype: 'BYTES', shape: [2], data: ['a', 'b'] }],
    ['bytes', { datatype: 'BYTES', shape: [1], data: [Buffer.from('a')] }],
    ['a Buffer', { datatype: 'UINT8', shape: [1], data: Buffer.from('a') }],
    ['nothing', { datatype: 'FP32', shape: [0, 3], data: new Float32Array(0) }],
  ])('takes a tensor of %s', (_, tensor) => {
    expect(checkedResults([{ tensor }], 1)).toEqual([{ tensor }]);
  });

  it.each([
    ['no results', undefined, 'run must return an array of 1 results, found Undefined'],
    ['too many', [{}, {}], 'run must return 1 results, found 2'],
    ['no tensor map', [[good]], 'result 1: expected an object of tensors by name, found Array'],
    ['no tensor', [{ a: 'text' }], "result 1, tensor 'a': expected a tensor {datatype, shape, data}, found String"],
    ['no datatype', [{ a: { ...good, datatype: 'float32' } }], 'expected a datatype of BOOL, UINT8'],
    ['no shape', [{ a: { ...good, shape: [-1] } }], 'expected a shape of whole numbers from 0, found [-1]'],
    ['other data', [{ a: { ...good, data: [1, 2] } }], 'expected data in a Float32Array for FP32, found Array'],
    ['numbers as text', [{ a: { ...good, datatype: 'BYTES', data: [1, 2] } }], 'expected data in an Array for BYTES'],
    ['too little', [{ a: { ...good, shape: [3] } }], 'expected 3 elements for the shape [3], found 2'],
  ])('says what was expected instead of %s', (_, results, message) => {
    expect(() => checkedResults(results, 1)).toThrow(message);
  });
});

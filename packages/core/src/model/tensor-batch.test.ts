import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { AppError } from './app-error.js';
import type { Datatype, Tensor, TensorData } from './tensor.js';
import { concatenateTensors, sliceTensor, stackTensors, unstackTensor } from './tensor-batch.js';

const fp32 = (shape: readonly number[], ...values: number[]): Tensor => ({
  datatype: 'FP32',
  shape,
  data: Float32Array.from(values),
});

const storage: ReadonlyArray<readonly [Datatype, (values: number[]) => TensorData]> = [
  ['BOOL', (values) => Uint8Array.from(values, (value) => value % 2)],
  ['UINT8', (values) => Uint8Array.from(values)],
  ['UINT16', (values) => Uint16Array.from(values)],
  ['UINT32', (values) => Uint32Array.from(values)],
  ['UINT64', (values) => BigUint64Array.from(values.map(BigInt))],
  ['INT8', (values) => Int8Array.from(values)],
  ['INT16', (values) => Int16Array.from(values)],
  ['INT32', (values) => Int32Array.from(values)],
  ['INT64', (values) => BigInt64Array.from(values.map(BigInt))],
  ['FP16', (values) => Uint16Array.from(values)],
  ['FP32', (values) => Float32Array.from(values)],
  ['FP64', (values) => Float64Array.from(values)],
  ['BYTES', (values) => values.map(String)],
];

const tensors = fc
  .record({
    kind: fc.constantFrom(...storage),
    shape: fc.array(fc.integer({ min: 0, max: 3 }), { maxLength: 3 }),
    count: fc.integer({ min: 1, max: 4 }),
  })
  .map(({ kind: [datatype, store], shape, count }) => {
    const size = shape.reduce((product, each) => product * each, 1);
    return Array.from({ length: count }, (_, index): Tensor => {
      const values = Array.from({ length: size }, (_, at) => (index * 7 + at) % 100);
      return { datatype, shape, data: store(values) };
    });
  });

describe('stackTensors and unstackTensor', () => {
  it('stacks along a new leading dimension', () => {
    expect(stackTensors([fp32([2], 1, 2), fp32([2], 3, 4), fp32([2], 5, 6)])).toEqual(fp32([3, 2], 1, 2, 3, 4, 5, 6));
  });

  it('stacks scalars into a vector', () => {
    expect(stackTensors([fp32([], 1), fp32([], 2)])).toEqual(fp32([2], 1, 2));
  });

  it('only reshapes a single tensor', () => {
    const one = fp32([2], 1, 2);
    const stacked = stackTensors([one]);
    expect(stacked.shape).toEqual([1, 2]);
    expect(stacked.data).toBe(one.data);
  });

  it('cuts into views of the same buffer', () => {
    const whole = fp32([2, 2], 1, 2, 3, 4);
    const parts = unstackTensor(whole);
    expect(parts).toEqual([fp32([2], 1, 2), fp32([2], 3, 4)]);
    for (const { data } of parts) expect((data as Float32Array).buffer).toBe((whole.data as Float32Array).buffer);
  });

  it('gives nothing for a leading dimension of 0', () => {
    expect(unstackTensor(fp32([0, 5]))).toEqual([]);
  });

  it('undoes itself for every data type', () => {
    fc.assert(
      fc.property(tensors, (parts) => {
        expect(unstackTensor(stackTensors(parts))).toEqual(parts);
      }),
      { seed: 11, numRuns: 200 },
    );
  });

  it.each([
    ['shape', fp32([1], 1), 'FP32 [2]', 'FP32 [1]'],
    ['rank', fp32([2, 1], 1, 2), 'FP32 [2]', 'FP32 [2, 1]'],
    ['data type', { datatype: 'FP64', shape: [2], data: Float64Array.of(1, 2) } as Tensor, 'FP32 [2]', 'FP64 [2]'],
  ])('names both sides when the %s differs', (_, other, expected, found) => {
    const stack = () => stackTensors([fp32([2], 1, 2), other]);
    expect(stack).toThrow(AppError);
    expect(stack).toThrow(expect.objectContaining({ code: 'TENSOR_MISMATCH', details: { expected, found, index: 1 } }));
  });

  it('refuses to cut a scalar', () => {
    expect(() => unstackTensor(fp32([], 1))).toThrow(expect.objectContaining({ code: 'TENSOR_MISMATCH' }));
  });

  it('needs something to stack', () => {
    expect(() => stackTensors([])).toThrow('at least one');
  });
});

describe('concatenateTensors and sliceTensor', () => {
  it('put rows together and take them apart as views', () => {
    const whole = concatenateTensors([fp32([1, 2], 1, 2), fp32([0, 2]), fp32([2, 2], 3, 4, 5, 6)]);
    expect(whole).toEqual(fp32([3, 2], 1, 2, 3, 4, 5, 6));
    const part = sliceTensor(whole, 1, 3);
    expect(part).toEqual(fp32([2, 2], 3, 4, 5, 6));
    expect((part.data as Float32Array).buffer).toBe((whole.data as Float32Array).buffer);
    expect(sliceTensor(whole, 3, 3)).toEqual(fp32([0, 2]));
  });

  it('undo each other for every data type', () => {
    fc.assert(
      fc.property(tensors, (parts) => {
        const stacks = parts.map((part, index) => stackTensors(Array(index + 1).fill(part)));
        const whole = concatenateTensors(stacks);
        let from = 0;
        for (const stack of stacks) {
          const to = from + (stack.shape[0] ?? 0);
          expect(sliceTensor(whole, from, to)).toEqual(stack);
          from = to;
        }
        expect(whole.shape[0]).toBe(from);
      }),
      { seed: 12, numRuns: 100 },
    );
  });

  it('leave a single tensor as it is', () => {
    const one = fp32([2, 1], 1, 2);
    expect(concatenateTensors([one])).toEqual(one);
    expect(concatenateTensors([one]).data).toBe(one.data);
  });

  it('refuse rows of other shapes, scalars and rows that are not there', () => {
    const mismatch = expect.objectContaining({ code: 'TENSOR_MISMATCH' });
    expect(() => concatenateTensors([fp32([1, 2], 1, 2), fp32([2, 1], 1, 2)])).toThrow(mismatch);
    expect(() => concatenateTensors([fp32([], 1)])).toThrow(mismatch);
    expect(() => sliceTensor(fp32([], 1), 0, 1)).toThrow(mismatch);
    expect(() => sliceTensor(fp32([2], 1, 2), 1, 3)).toThrow('rows 1 to 3 lie in FP32 [2]');
  });
});

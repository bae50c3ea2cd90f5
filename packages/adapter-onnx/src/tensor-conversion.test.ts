import { Tensor as OrtTensor } from 'onnxruntime-node';
import { describe, expect, it } from 'vitest';
import { fromOrtTensor, type OrtTensorConstructor, toOrtTensor } from './tensor-conversion.js';

describe('tensors of onnxruntime', () => {
  it('are views of the same memory in both directions', () => {
    const data = Float32Array.of(1, 2);
    const tensor = toOrtTensor(OrtTensor as OrtTensorConstructor, { datatype: 'FP32', shape: [2], data });
    expect(tensor.data).toBe(data);
    expect(fromOrtTensor('y', tensor).data).toBe(data);
  });

  it('of a type that is not carried are refused by name', () => {
    const packed = new OrtTensor('uint4', Uint8Array.of(1), [2]);
    expect(() => fromOrtTensor('y', packed)).toThrow(
      "Tensor 'y' has the type uint4, which Equipoise does not support.",
    );
  });
});

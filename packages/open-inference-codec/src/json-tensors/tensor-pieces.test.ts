import { type Datatype, elementCount, type Tensor, type TensorData } from '@equipoise/core/model';
import { describe, expect, it } from 'vitest';
import { inferResponsePieces, writeInferResponse } from '../rest/infer-response.js';
import { paddingOf } from '../rest/rest-body.js';
import { encodeFlat, encodeNested } from './encode-tensor.js';
import { flatPieces, nestedPieces } from './tensor-pieces.js';

const kinds: readonly (readonly [Datatype, (length: number) => TensorData])[] = [
  ['FP32', (length) => Float32Array.from({ length }, (_, index) => (index % 97 === 0 ? Number.NaN : index / 7))],
  ['FP64', (length) => Float64Array.from({ length }, (_, index) => (index % 89 === 0 ? Infinity : -index / 3))],
  ['UINT8', (length) => Uint8Array.from({ length }, (_, index) => index % 256)],
  ['INT64', (length) => BigInt64Array.from({ length }, (_, index) => BigInt(index) ** 6n)],
  ['FP16', (length) => Uint16Array.from({ length }, (_, index) => index)],
  ['BOOL', (length) => Uint8Array.from({ length }, (_, index) => index % 2)],
  ['BYTES', (length) => Array.from({ length }, (_, index) => `"${index}ü`)],
];
const shapes = [[], [0], [3, 0], [1], [9000], [1, 1, 9000], [9000, 1], [90, 10, 10], [2, 4096, 1], [3, 2731], [4096]];
const tensors = kinds.flatMap(([datatype, dataOf]) =>
  shapes.map((shape): Tensor => ({ datatype, shape, data: dataOf(elementCount(shape)) }) as Tensor),
);

describe('the JSON of a tensor in pieces', () => {
  it('is that of the tensor at once, flat and nested', () => {
    for (const tensor of tensors) {
      const text = `${tensor.datatype} [${tensor.shape}]`;
      expect([...flatPieces(tensor)].join('') === encodeFlat(tensor).json, text).toBe(true);
      expect([...nestedPieces(tensor)].join('') === encodeNested(tensor), text).toBe(true);
    }
  });

  it('is that of an answer at once, with texts, base64 and raw tensors', () => {
    const names = { modelName: 'm"', id: 'i', missing: ['a[1]'] };
    const bytes: Tensor = { datatype: 'BYTES', shape: [1], data: [new Uint8Array([255])] };
    const outputs = [...tensors, bytes].map((tensor, index) => ({
      name: `t${index}`,
      tensor,
      binary: index % 5 === 0,
    }));
    const whole = writeInferResponse(names, outputs);
    const { pieces, raw } = inferResponsePieces(names, outputs);
    const json = [...pieces].join('');
    expect(json + ' '.repeat(paddingOf(Buffer.byteLength(json))) === whole.json).toBe(true);
    expect(Buffer.concat(raw).equals(Buffer.concat(whole.raw))).toBe(true);
  });

  it('never takes many elements at once', () => {
    const tensor: Tensor = { datatype: 'UINT8', shape: [1_000_000], data: new Uint8Array(1_000_000) };
    for (const pieces of [flatPieces(tensor), nestedPieces(tensor)]) {
      for (const piece of pieces) expect(piece.length).toBeLessThan(20_000);
    }
  });
});

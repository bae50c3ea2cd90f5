import type { Tensor, TensorMap } from '@equipoise/core/model';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { movableTensors } from './movable-tensors.js';

const fp32 = (data: Float32Array): Tensor => ({ datatype: 'FP32', shape: [data.length], data });
const bytes = (...data: Uint8Array[]): Tensor => ({ datatype: 'BYTES', shape: [data.length], data });

describe('movableTensors', () => {
  it('moves a buffer that one view covers alone', () => {
    const data = Float32Array.of(1, 2);
    const { items, transfer } = movableTensors([{ x: fp32(data) }]);
    expect(items[0]?.['x']?.data).toBe(data);
    expect(transfer).toEqual([data.buffer]);
  });

  it('copies a part of a Buffer pool, whose other parts are not ours', () => {
    const pooled = Buffer.from('abc');
    const { items, transfer } = movableTensors([{ x: bytes(pooled) }]);
    expect(transfer.map(({ byteLength }) => byteLength)).toEqual([3]);
    expect(transfer).not.toContain(pooled.buffer);
    expect(items).toEqual([{ x: bytes(new Uint8Array(pooled)) }]);
  });

  it('moves many elements in one buffer, be they parts of a body or alone in theirs', () => {
    const body = Uint8Array.from({ length: 500 }, (_, i) => i);
    const parts = Array.from({ length: 100 }, (_, i) => body.subarray(5 * i, 5 * i + 5));
    for (const elements of [parts, parts.map((part) => part.slice())]) {
      const { items, transfer } = movableTensors([{ x: bytes(...elements) }]);
      expect(items).toEqual([{ x: bytes(...parts) }]);
      expect(transfer.map(({ byteLength }) => byteLength)).toEqual([800]);
      expect(transfer).not.toContain(body.buffer);
    }
  });

  it.each([3, 300])('lets numbers be read where an element of %d begins that were parts of a body', (count) => {
    const body = new Uint8Array(8 * count + 3);
    const parts = [
      body.subarray(0, 3),
      ...Array.from({ length: count - 1 }, (_, i) => body.subarray(8 * i + 3, 8 * i + 11)),
    ];
    const { items } = movableTensors([{ x: bytes(...parts) }]);
    const moved = items[0]?.['x']?.data as readonly Uint8Array[];
    for (const { buffer, byteOffset } of moved) expect(() => new Float64Array(buffer, byteOffset, 0)).not.toThrow();
    expect(moved).toEqual(parts);
  });

  it('gives each of few elements a buffer of its own', () => {
    const body = new Uint8Array(16);
    const { items, transfer } = movableTensors([{ x: bytes(body.subarray(0, 3), body.subarray(3, 11)) }]);
    expect(transfer.map(({ byteLength }) => byteLength)).toEqual([3, 8]);
    const moved = items[0]?.['x']?.data as readonly Uint8Array[];
    expect(moved.map(({ byteOffset }) => byteOffset)).toEqual([0, 0]);
  });

  it('moves few elements that are alone in their buffers without a copy', () => {
    const elements = [Uint8Array.of(1, 2), Uint8Array.of(3)];
    const { items, transfer } = movableTensors([{ x: bytes(...elements) }]);
    expect(items[0]?.['x']?.data[1]).toBe(elements[1]);
    expect(transfer).toEqual(elements.map(({ buffer }) => buffer));
  });

  it('clones text', () => {
    const x: Tensor = { datatype: 'BYTES', shape: [2], data: ['a', 'b'] };
    expect(movableTensors([{ x }])).toEqual({ items: [{ x }], transfer: [] });
  });

  it('keeps every value, moves no buffer twice and takes none that another view needs (property)', () => {
    const buffers = Array.from({ length: 3 }, (_, at) => Float32Array.from({ length: 6 }, (_, i) => at * 10 + i));
    const view = fc
      .record({ buffer: fc.nat(2), from: fc.nat(6), length: fc.nat(6) })
      .map(({ buffer, from, length }) => fp32((buffers[buffer] as Float32Array).subarray(from, from + length)));
    const items = fc.array(fc.dictionary(fc.constantFrom('a', 'b'), view), { maxLength: 4 });
    fc.assert(
      fc.property(items, (sent: TensorMap[]) => {
        const { items: moved, transfer } = movableTensors(sent);
        expect(moved.map((item) => ({ ...item }))).toEqual(sent.map((item) => ({ ...item })));
        expect(new Set(transfer).size).toBe(transfer.length);
        const views = sent.flatMap((item) => Object.values(item)).map(({ data }) => (data as Float32Array).buffer);
        for (const buffer of transfer) {
          expect(views.filter((other) => other === buffer).length).toBeLessThanOrEqual(1);
        }
      }),
      { seed: 3, numRuns: 200 },
    );
  });
});

import type { TensorMap } from '@equipoise/core/model';
import { describe, expect, it } from 'vitest';
import { type Frame, FrameReader, frameOf } from './frame.js';

function roundTrip(tensors: readonly TensorMap[]): Frame | undefined {
  const frames: Frame[] = [];
  const reader = new FrameReader((frame) => frames.push(frame));
  for (const chunk of frameOf({ kind: 'run' }, tensors)) for (const byte of chunk) reader.push(Uint8Array.of(byte));
  return frames[0];
}

const textOf = (element: unknown): unknown => (element instanceof Uint8Array ? [...element] : element);

describe('a frame, byte by byte', () => {
  it.each([
    ['texts', ['a', 'ü'], ['a', 'ü']],
    ['bytes that are no text', [Uint8Array.of(255, 254)], [[255, 254]]],
    ['a text before bytes that are no text', ['a', Uint8Array.of(255)], [[97], [255]]],
    ['bytes before a text', [Uint8Array.of(255), 'a'], [[255], [97]]],
    ['nothing', [], []],
  ] as const)('keeps %s', (_, data, expected) => {
    const tensor = { datatype: 'BYTES', shape: [data.length], data } as unknown as TensorMap[string];
    const received = roundTrip([{ tensor }])?.tensors[0]?.['tensor']?.data as Iterable<unknown>;
    expect(Array.from(received, textOf)).toEqual(expected);
  });

  it('keeps numbers and empty tensors', () => {
    const tensors: TensorMap[] = [
      { x: { datatype: 'INT64', shape: [2], data: BigInt64Array.of(-1n, 2n ** 40n) } },
      { none: { datatype: 'FP32', shape: [0, 4], data: new Float32Array(0) } },
    ];
    expect(roundTrip(tensors)).toEqual({ body: { kind: 'run' }, tensors });
  });
});

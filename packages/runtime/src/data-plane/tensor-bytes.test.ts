import { expect, it } from 'vitest';
import { tensorBytes } from './tensor-bytes.js';

it('counts what numbers take, and of BYTES the holding of each element too, be it empty', () => {
  const numbers = { datatype: 'FP32', shape: [3], data: new Float32Array(3) } as const;
  const texts = { datatype: 'BYTES', shape: [2], data: ['', 'four'] } as const;
  const views = { datatype: 'BYTES', shape: [2], data: [new Uint8Array(), new Uint8Array(5)] } as const;
  expect(tensorBytes({ numbers })).toBe(12);
  expect(tensorBytes({ texts })).toBe(2 * 32 + 8);
  expect(tensorBytes({ numbers, views })).toBe(12 + 2 * 112 + 5);
});

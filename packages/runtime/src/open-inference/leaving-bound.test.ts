import { expect, it } from 'vitest';
import { mostLeavingBytes } from './leaving-bound.js';

const MIB = 1024 * 1024;

it.each([
  ['small bodies leave room for large answers', 64 * 1024, 1, 256 * MIB],
  ['large bodies leave room for as many answers as large', 32 * MIB, 1, 512 * MIB],
  ['fronts share it', 32 * MIB, 4, 128 * MIB],
  ['each of many fronts has room for a few large answers', 64 * 1024, 16, 64 * MIB],
  ['and for one as large as the largest body', 100 * MIB, 64, 100 * MIB],
])('%s', (_, maxBodyBytes, processes, most) => {
  expect(mostLeavingBytes(maxBodyBytes, processes)).toBe(most);
});

import { describe, expect, it } from 'vitest';
import { cropPx, cutCrop, scenePx } from './cut-crop.js';

/** A scene whose pixel centered at (x, y) has the value x + 1000 y. */
const ramp = Float32Array.from({ length: scenePx * scenePx }, (_, i) => {
  return (i % scenePx) + 0.5 + 1000 * (Math.floor(i / scenePx) + 0.5);
});

function crop(x: number, y: number, sidePx: number): Float32Array {
  const target = new Float32Array(cropPx * cropPx);
  cutCrop(ramp, { x, y, sidePx }, target);
  return target;
}

describe('cutCrop', () => {
  it('samples a linear scene exactly, 1.25 times the side of the object', () => {
    const target = crop(100.25, 90, 40);
    for (const [column, row] of [
      [0, 0],
      [63, 0],
      [31, 40],
      [63, 63],
    ] as const) {
      const x = 100.25 + ((column + 0.5) / 64 - 0.5) * 50;
      const y = 90 + ((row + 0.5) / 64 - 0.5) * 50;
      expect(target[row * cropPx + column]).toBeCloseTo(x + 1000 * y, 0);
    }
  });

  it('copies pixels when the square is 64 px and aligned', () => {
    const target = crop(100, 100, 64 / 1.25);
    expect(target[0]).toBeCloseTo(68.5 + 68_500, 1);
    expect(target[64 * 64 - 1]).toBeCloseTo(131.5 + 131_500, 1);
  });

  it('continues the edge outside the scene', () => {
    const target = crop(0, 0, 48);
    expect(target[0]).toBeCloseTo(0.5 + 500, 2);
    expect(target[31]).toBeCloseTo(0.5 + 500, 2);
  });
});

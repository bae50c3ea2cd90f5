import { expect, it } from 'vitest';
import { meanOf, mirror, mirrorCells } from './mirror.js';
import { gridSide, pickPeaks } from './pick-peaks.js';

it('reverses each row', () => {
  const values = Float32Array.of(1, 2, 3, 4, 5, 6);
  expect([...mirror(values, 3)]).toEqual([3, 2, 1, 6, 5, 4]);
  expect([...values]).toEqual([1, 2, 3, 4, 5, 6]);
});

it('moves an object to the other side of the scene', () => {
  const plane = gridSide * gridSide;
  const cells = new Float32Array(4 * plane);
  const cell = 4 * gridSide + 10;
  for (const [channel, value] of [0.75, 0.25, -0.5, 0].entries()) cells[channel * plane + cell] = value;
  const [object] = pickPeaks(cells);
  const [mirrored] = pickPeaks(mirrorCells(cells));
  expect(mirrored?.x).toBeCloseTo(gridSide * 8 - (object?.x ?? 0), 4);
  expect(mirrored?.y).toBeCloseTo(object?.y ?? 0, 4);
});

it('averages two views', () => {
  expect([...meanOf(Float32Array.of(1, 0), Float32Array.of(0, 0.5))]).toEqual([0.5, 0.25]);
});

/** Second view of a variant with `mirrored: true`: the input from left to right reversed, averaged with the first view. */
import { gridSide } from './pick-peaks.js';

/** Reverses each row of `width` values. */
export function mirror(values: Float32Array, width: number): Float32Array {
  const mirrored = values.slice();
  for (let row = 0; row < mirrored.length; row += width) mirrored.subarray(row, row + width).reverse();
  return mirrored;
}

/** Turns the cells [4, 28, 28] of a mirrored scene back: their offsets x change the sign, too. */
export function mirrorCells(cells: Float32Array): Float32Array {
  const mirrored = mirror(cells, gridSide);
  const planeSize = gridSide * gridSide;
  for (let cell = planeSize; cell < 2 * planeSize; cell++) mirrored[cell] = -(mirrored[cell] ?? 0);
  return mirrored;
}

export function meanOf(first: Float32Array, second: Float32Array): Float32Array {
  return first.map((value, index) => (value + (second[index] ?? 0)) / 2);
}

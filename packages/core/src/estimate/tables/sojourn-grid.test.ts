import { expect, it } from 'vitest';
import { CELL_BYTES, CELL_NUMBERS, decodeBatch, decodeCell, encodeBatch, encodeCell } from './sojourn-grid.js';
import { bytesOfBase64 } from './sojourn-table.js';

it('keeps a law within half a percent in its bytes', () => {
  const cell = { logitDisturbed: -2.345, logTimes: [0.1, 0.31, 0.52, 0.9, 1.4, 1.404, 2.2, 3.9, 4.1] };
  const bytes = new Uint8Array(3 + CELL_BYTES);
  encodeCell(cell, bytes, 3);
  const numbers = new Float32Array(CELL_NUMBERS);
  decodeCell(bytes, 3, { numbers, into: 0 });
  expect(numbers[0]).toBeCloseTo(cell.logitDisturbed, 3);
  cell.logTimes.forEach((log, i) => {
    expect(Math.abs((numbers[1 + i] as number) - log)).toBeLessThan(0.005);
  });
});

it('bounds what does not fit', () => {
  const bytes = new Uint8Array(CELL_BYTES);
  encodeCell({ logitDisturbed: -99, logTimes: new Array<number>(9).fill(-1) }, bytes, 0);
  const numbers = new Float32Array(CELL_NUMBERS);
  decodeCell(bytes, 0, { numbers, into: 0 });
  expect([...numbers.subarray(0, 2)]).toEqual([-16, 0]);
});

it('keeps mean batch sizes within a percent', () => {
  for (const size of [1, 1.7, 12, 64]) expect(Math.exp(decodeBatch(encodeBatch(size))) / size).toBeCloseTo(1, 1.5);
});

it.each(['', 'A', 'AB', 'ABC', '\u0000\u00ff~'])('reads base64 of %j', (text) => {
  const bytes = Buffer.from(text, 'latin1');
  expect([...bytesOfBase64(bytes.toString('base64'))]).toEqual([...bytes]);
});

import { expect, it } from 'vitest';
import { EdgeCounts } from './edge-counts.js';

it('gives what was counted since the call before, and goes on counting from the start', () => {
  const counts = new EdgeCounts(2);
  counts.branched(0, true);
  counts.fannedOut(1, 3);
  const first = [
    { offered: 1, taken: 1, fanOuts: 0, items: 0 },
    { offered: 0, taken: 0, fanOuts: 1, items: 3 },
  ];
  expect(counts.take()).toEqual(first);
  counts.branched(0, false);
  counts.fannedOut(1, 0);
  expect(counts.take()).toEqual([
    { offered: 1, taken: 0, fanOuts: 0, items: 0 },
    { offered: 0, taken: 0, fanOuts: 1, items: 0 },
  ]);
  expect(counts.take()).toEqual(first.map(() => ({ offered: 0, taken: 0, fanOuts: 0, items: 0 })));
  expect(counts.all).toEqual([
    { offered: 2, taken: 1, fanOuts: 0, items: 0 },
    { offered: 0, taken: 0, fanOuts: 2, items: 3 },
  ]);
});

import { expect, it } from 'vitest';
import { variantId } from '../model/ids.js';
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

it('counts by variant what a variant made, next to the total', () => {
  const counts = new EdgeCounts(1);
  const [small, medium] = [variantId('small'), variantId('medium')];
  counts.branched(0, true, small);
  counts.branched(0, true, small);
  counts.branched(0, false, medium);
  expect(counts.take()).toEqual([
    {
      ...{ offered: 3, taken: 2, fanOuts: 0, items: 0 },
      byVariant: {
        small: { offered: 2, taken: 2, fanOuts: 0, items: 0 },
        medium: { offered: 1, taken: 0, fanOuts: 0, items: 0 },
      },
    },
  ]);
  counts.branched(0, true, medium);
  expect(counts.take()[0]?.byVariant).toEqual({ medium: { offered: 1, taken: 1, fanOuts: 0, items: 0 } });
});

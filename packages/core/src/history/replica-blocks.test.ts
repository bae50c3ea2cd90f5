import { expect, it } from 'vitest';
import { replicaId, stageId, variantId } from '../model/ids.js';
import { BLOCK_MS, ReplicaBlocks } from './replica-blocks.js';

const batch = {
  ...{ stageId: stageId('a'), variantId: variantId('v'), replicaId: replicaId('a-1'), size: 2, failedItems: 0 },
  expectedMs: 10,
};

it('moves older blocks with the clock if it is set back', () => {
  const blocks = new ReplicaBlocks();
  for (const [atEpochMs, serviceMs] of [
    [100_000, 10],
    [105_000, 10],
    [55_000, 20],
    [60_000, 20],
  ] as const) {
    blocks.note({ ...batch, serviceMs });
    blocks.endBlock(atEpochMs);
  }
  expect(blocks.window().map(({ atEpochMs }) => atEpochMs)).toEqual([45_000, 50_000, 55_000, 60_000]);
  const newest = blocks.window({ fromEpochMs: 60_000 - 2 * BLOCK_MS });
  expect(newest.map(({ logSum }) => logSum)).toEqual([Math.log(2), Math.log(2)].map((log) => expect.closeTo(log, 6)));
});

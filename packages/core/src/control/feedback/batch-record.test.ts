import { expect, it } from 'vitest';
import { stageId, variantId } from '../../model/ids.js';
import { BatchRecord } from './batch-record.js';

const kind = (variant: string) => ({ stageId: stageId('a'), variantId: variantId(variant), cpuCores: 1 });

it('keeps service times by kind and size until they are taken, at most fifty of each', () => {
  const record = new BatchRecord();
  record.note(kind('v'), 1, 10);
  record.note(kind('v'), 4, 30);
  record.note(kind('w'), 1, 11);
  for (let i = 0; i < 100; i++) record.note(kind('v'), 1, 12);
  const taken = record.take();
  expect(taken.map(({ variantId: id, batchSize, serviceMs }) => [id, batchSize, serviceMs.length])).toEqual([
    ['v', 1, 50],
    ['v', 4, 1],
    ['w', 1, 1],
  ]);
  expect(taken[0]?.serviceMs.slice(0, 2)).toEqual([10, 12]);
  expect(record.take()).toEqual([]);
});

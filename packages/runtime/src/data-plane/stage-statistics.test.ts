import { expect, it } from 'vitest';
import { StageStatistics } from './stage-statistics.js';

it('counts batches by size, busy time and drops by reason', () => {
  const statistics = new StageStatistics();
  const troubles = { opened: 1, failing: 0, slow: 2, hung: 3 };
  statistics.finished({ size: 1, failedItems: 0, busyMs: 12, serviceMs: 10, waitsMs: [3] });
  statistics.finished({ size: 4, failedItems: 1, busyMs: 31, serviceMs: 30, waitsMs: [1, 2, 3, 4] });
  statistics.finished({ size: 4, failedItems: 0, busyMs: 22, serviceMs: 20, waitsMs: [0, 0, 0, 1] });
  statistics.dropped('queue-full');
  statistics.dropped('queue-full');
  statistics.dropped('deadline-passed');
  const ofPolicies = { queueLength: 7, retriedItems: 2, troubles };
  expect(statistics.counts(ofPolicies)).toEqual({
    ...ofPolicies,
    batches: 3,
    items: 9,
    failedItems: 1,
    busyMs: 65,
    waitMs: 14,
    dropped: { 'queue-full': 2, 'deadline-passed': 1 },
    byBatchSize: {
      1: { batches: 1, meanServiceMs: 10, maxServiceMs: 10 },
      4: { batches: 2, meanServiceMs: 25, maxServiceMs: 30 },
    },
  });
  statistics.countAnew();
  expect(statistics.counts(ofPolicies)).toEqual({
    ...ofPolicies,
    ...{ batches: 0, items: 0, failedItems: 0, busyMs: 65, waitMs: 0, byBatchSize: {} },
    dropped: { 'queue-full': 2, 'deadline-passed': 1 },
  });
});

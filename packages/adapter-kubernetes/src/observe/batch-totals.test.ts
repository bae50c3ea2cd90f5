import { describe, expect, it } from 'vitest';
import { BatchTotals } from './batch-totals.js';

const batches = (count: number, serviceS: number, variant = 'small') => ({
  ...{ stage: 'detect', variant, count, items: 2 * count, serviceS },
});

describe('BatchTotals', () => {
  it('adds up what routers count after their first page', () => {
    const totals = new BatchTotals();
    totals.addPage('a', [batches(1_000, 50)], 0);
    expect(totals.take()).toEqual({ batches: [], seconds: 0 });
    totals.addPage('a', [batches(1_010, 51)], 1_000);
    totals.addPage('b', [batches(5, 1)], 1_000);
    totals.addPage('b', [batches(15, 2), batches(3, 1, 'large')], 2_000);
    const counted = { batches: [batches(20, 2), batches(3, 1, 'large')], seconds: 2 };
    expect(totals.take()).toEqual(counted);
    expect(totals.take()).toEqual({ batches: [], seconds: 0 });
    expect(totals.window()).toEqual(counted);
  });

  it('counts a restarted router from zero, and keeps what a removed one counted', () => {
    const totals = new BatchTotals();
    totals.addPage('a', [batches(100, 10)], 0);
    totals.addPage('a', [batches(110, 11)], 1_000);
    totals.addPage('a', [batches(4, 1)], 2_000);
    totals.removeRouter('a');
    expect(totals.window()).toEqual({ batches: [batches(14, 2)], seconds: 2 });
  });

  it('forgets after a minute', () => {
    const totals = new BatchTotals();
    for (let second = 0; second <= 120; second++) totals.addPage('a', [batches(second, second)], 1_000 * second);
    expect(totals.window()).toEqual({ batches: [batches(60, 60)], seconds: 60 });
  });
});

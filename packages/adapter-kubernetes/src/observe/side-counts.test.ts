import { expect, it } from 'vitest';
import { SideCounts } from './side-counts.js';

const page = (endedTotal: number, missed = 0, passedOnTotal = 0) => ({
  ...{ endedTotal, withinSloTotal: endedTotal - missed, passedOnTotal },
});
const side = (ended: number, missed = 0) => ({ ended, missed });

it('counts what routers of each side ended and missed since an instant, whichever pods they were', () => {
  const counts = new SideCounts();
  expect(counts.since(0)).toEqual({ before: side(0), after: side(0), passedOn: 0, observedMs: 0 });
  counts.addPage('old', 'before', page(1_000, 5, 700), 0);
  counts.addPage('next', 'after', page(10), 100);
  counts.addPage('old', 'before', page(1_090, 6, 711), 1_000);
  counts.addPage('next', 'after', page(20, 3), 1_100);
  expect(counts.since(0)).toEqual({ before: side(90, 1), after: side(10, 3), passedOn: 11, observedMs: 1_100 });
  expect(counts.since(1_050)).toEqual({ before: side(0), after: side(10, 3), passedOn: 0, observedMs: 100 });
  // Another pod of the same side; counts from its start.
  counts.addPage('newer', 'before', page(7), 2_000);
  counts.removeRouter('old');
  counts.addPage('newer', 'before', page(57, 2, 6), 3_000);
  expect(counts.since(1_500)).toMatchObject({ before: side(50, 2), after: side(0), passedOn: 6 });
  // A restarted router.
  counts.addPage('next', 'after', page(4, 1), 4_000);
  expect(counts.since(1_500)).toMatchObject({ before: side(50, 2), after: side(4, 1) });
});

it('forgets what is older than any step', () => {
  const counts = new SideCounts();
  for (let second = 0; second <= 300; second++) counts.addPage('old', 'before', page(second), 1_000 * second);
  expect(counts.since(0).before.ended).toBeGreaterThan(179);
  expect(counts.since(0).before.ended).toBeLessThan(183);
  expect(counts.since(290_000).before.ended).toBe(10);
});

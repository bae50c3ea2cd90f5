import { describe, expect, it } from 'vitest';
import type { DecisionSummary } from '../api/answers.js';
import { isAction, isFull, MOST_LISTED, NO_DECISIONS, withNewest, withOlder } from './decision-list.js';

const page = (from: number, to: number, nextBefore?: number) => ({
  decisions: Array.from({ length: from - to + 1 }, (_, at): DecisionSummary => ({ id: from - at, atEpochMs: 0 })),
  ...(nextBefore !== undefined && { nextBefore }),
});
const idsOf = ({ decisions }: { readonly decisions: readonly DecisionSummary[] }) => decisions.map(({ id }) => id);

describe('the decision list', () => {
  it('takes newer decisions, and keeps the older ones once', () => {
    const list = withNewest(withNewest(NO_DECISIONS, page(5, 3, 3)), page(7, 5, 5));
    expect([idsOf(list), list.nextBefore]).toEqual([[7, 6, 5, 4, 3], 3]);
  });

  it('replaces a decision that has news', () => {
    const list = withNewest(NO_DECISIONS, page(2, 1));
    const later = { decisions: [{ id: 2, atEpochMs: 0, outcome: { kind: 'applied', tookMs: 5 } as const }] };
    expect(withNewest(list, later).decisions[0]?.outcome).toEqual({ kind: 'applied', tookMs: 5 });
  });

  it('keeps what has no news, so that only the rest is rendered', () => {
    const list = withNewest(NO_DECISIONS, page(5, 1));
    expect(withNewest(list, page(5, 1))).toBe(list);
    const newer = withNewest(list, page(6, 2, 2));
    expect(newer.decisions.filter((each) => list.decisions.includes(each))).toHaveLength(5);
    const changed = { decisions: [{ id: 6, atEpochMs: 0, reason: 'why' }, ...page(5, 2).decisions] };
    const amended = withNewest(newer, changed);
    expect(amended.decisions.map((each) => newer.decisions.includes(each))).toEqual([false, ...Array(5).fill(true)]);
  });

  it('has no gap after a long sleep', () => {
    const list = withNewest(withNewest(NO_DECISIONS, page(5, 3)), page(90, 88, 88));
    expect([idsOf(list), list.nextBefore]).toEqual([[90, 89, 88], 88]);
  });

  it('begins anew with a new log', () => {
    const list = withNewest(withNewest(NO_DECISIONS, page(90, 1)), page(2, 1));
    expect(idsOf(list)).toEqual([2, 1]);
  });

  it('grows by older pages, in order and without doubles', () => {
    const list = withOlder(withNewest(NO_DECISIONS, page(5, 4, 4)), page(4, 2, 2));
    expect([idsOf(list), list.nextBefore]).toEqual([[5, 4, 3, 2], 2]);
    expect(withOlder(list, page(1, 1)).nextBefore).toBeUndefined();
  });

  it('of 10,000 decisions grows page by page to its bound, in order, and keeps it while newer ones come', () => {
    const hundred = (newest: number) => page(newest, Math.max(1, newest - 99), newest > 100 ? newest - 99 : undefined);
    let list = withNewest(NO_DECISIONS, hundred(10_000));
    for (let pages = 1; !isFull(list); pages++) {
      expect(pages).toBeLessThan(100);
      list = withOlder(list, hundred((list.nextBefore ?? 0) - 1));
    }
    for (let newest = 10_001; newest <= 10_200; newest++) list = withNewest(list, hundred(newest));
    expect(idsOf(list)).toEqual(Array.from({ length: MOST_LISTED }, (_, at) => 10_200 - at));
    expect([isFull(list), list.nextBefore]).toEqual([true, 10_201 - MOST_LISTED]);
  });

  it('is not full where nothing is older', () => {
    expect(isFull(withNewest(NO_DECISIONS, page(MOST_LISTED, 1)))).toBe(false);
  });

  it('knows changes and manual actions', () => {
    const of = (more: object) => isAction({ id: 1, atEpochMs: 0, ...more });
    expect([of({ kind: 'hold' }), of({ kind: 'apply' }), of({ manual: { action: 'pin' } })]).toEqual([
      false,
      true,
      true,
    ]);
  });
});

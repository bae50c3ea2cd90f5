import { describe, expect, it } from 'vitest';
import type { DecisionSummary } from '../api/answers.js';
import { isAction, NO_DECISIONS, withNewest, withOlder } from './decision-list.js';

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

  it('knows changes and manual actions', () => {
    const of = (more: object) => isAction({ id: 1, atEpochMs: 0, ...more });
    expect([of({ kind: 'hold' }), of({ kind: 'apply' }), of({ manual: { action: 'pin' } })]).toEqual([
      false,
      true,
      true,
    ]);
  });
});

/** Counts of all routers of a pipeline since the operator watches them: for the page of the operator. */
import type { RouterPage } from './router-page.js';

export interface StageTotals {
  readonly items: number;
  readonly batches: number;
  readonly busyMs: number;
  readonly dropped: number;
}

export interface ServedTotals {
  readonly arrived: number;
  readonly withinSlo: number;
  readonly completed: number;
  readonly failed: number;
  readonly dropped: Readonly<Record<string, number>>;
  readonly stages: Readonly<Record<string, StageTotals>>;
}

const NOTHING: StageTotals = { items: 0, batches: 0, busyMs: 0, dropped: 0 };

export const noTotals: ServedTotals = { arrived: 0, withinSlo: 0, completed: 0, failed: 0, dropped: {}, stages: {} };

/** Adds the growth of one page. A page without outcomes only tells how many requests ended: those count as completed. */
export function plusPage(before: ServedTotals, more: RouterPage): ServedTotals {
  const { completed, failed, dropped } = more.outcomes ?? { completed: more.endedTotal, failed: 0, dropped: {} };
  const stages: Record<string, StageTotals> = { ...before.stages };
  for (const [stage, { droppedTotal }] of Object.entries(more.stages)) {
    const of = stages[stage] ?? NOTHING;
    stages[stage] = { ...of, dropped: of.dropped + droppedTotal };
  }
  for (const { stage, items, count, serviceS } of more.batches) {
    const of = stages[stage] ?? NOTHING;
    stages[stage] = {
      items: of.items + items,
      batches: of.batches + count,
      busyMs: of.busyMs + 1000 * serviceS,
      dropped: of.dropped,
    };
  }
  const reasons = { ...before.dropped };
  for (const [reason, count] of Object.entries(dropped)) reasons[reason] = (reasons[reason] ?? 0) + count;
  return {
    arrived: before.arrived + more.arrivedTotal,
    withinSlo: before.withinSlo + more.withinSloTotal,
    completed: before.completed + completed,
    failed: before.failed + failed,
    dropped: reasons,
    stages,
  };
}

/** Growth of the counters of a router between two of its pages. Restarted counters count from zero. */
import type { RequestOutcomes, RouterPage, VariantBatches } from './router-page.js';

export function pageGrowth(page: RouterPage, before: RouterPage | undefined): RouterPage {
  if (before === undefined || page.arrivedTotal < before.arrivedTotal) return page;
  const counts = new Map(before.latencies.map(({ upToS, count }) => [upToS, count]));
  return {
    ...page,
    arrivedTotal: page.arrivedTotal - before.arrivedTotal,
    withinSloTotal: page.withinSloTotal - before.withinSloTotal,
    endedTotal: page.endedTotal - before.endedTotal,
    latencies: page.latencies.map(({ upToS, count }) => ({ upToS, count: count - (counts.get(upToS) ?? 0) })),
    stages: Object.fromEntries(
      Object.entries(page.stages).map(([name, { queueLength, droppedTotal }]) => [
        name,
        { queueLength, droppedTotal: droppedTotal - (before.stages[name]?.droppedTotal ?? 0) },
      ]),
    ),
    batches: page.batches.map((each) => batchGrowth(each, before.batches)),
    ...(page.outcomes && { outcomes: outcomeGrowth(page.outcomes, before.outcomes) }),
  };
}

function batchGrowth(now: VariantBatches, before: readonly VariantBatches[]): VariantBatches {
  const last = before.find(({ stage, variant }) => stage === now.stage && variant === now.variant);
  if (last === undefined) return now;
  return {
    ...now,
    count: now.count - last.count,
    items: now.items - last.items,
    serviceS: now.serviceS - last.serviceS,
  };
}

function outcomeGrowth(now: RequestOutcomes, before: RequestOutcomes | undefined): RequestOutcomes {
  const dropped = Object.entries(now.dropped).map(([reason, count]) => [
    reason,
    count - (before?.dropped[reason] ?? 0),
  ]);
  return {
    completed: now.completed - (before?.completed ?? 0),
    failed: now.failed - (before?.failed ?? 0),
    dropped: Object.fromEntries(dropped) as RequestOutcomes['dropped'],
  };
}

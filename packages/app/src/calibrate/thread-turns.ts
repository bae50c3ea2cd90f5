/**
 * Divides served time between the server's thread and the replicas. The thread rests whenever it waits for events, so
 * the time from one turn to the next is rest or work. A batch whose answer found the thread resting was with its replica
 * until then. Other answers waited for the thread, for an unknown time: their batches count with the usual way of their
 * variant.
 */
import { medianOf } from '@equipoise/core/model';
import type { fitThreadCost, TurnInterval } from '@equipoise/core/plan';
import type { ServedBatch } from './batch-times.js';
import type { ServedRecord } from './served-plan.js';

type ThreadCosts = ReturnType<typeof fitThreadCost>;

/** Turn with all that happened in it. */
interface Turn {
  readonly atMs: number;
  readonly restedMs: number;
  readonly workedMs: number;
  arrivals: number;
  answers: number;
  refusals: number;
  readonly sent: ServedBatch[];
  readonly taken: ServedBatch[];
}

/** Shorter rests say nothing. */
const LEAST_REST_MS = 0.02;

/** Turns in which something happened, in order. */
function turnsOf({ turns, batches, ends }: ServedRecord): readonly Turn[] {
  const byTime = new Map<number, Turn>();
  for (const turn of turns) {
    if (!byTime.has(turn.atMs))
      byTime.set(turn.atMs, { ...turn, arrivals: 0, answers: 0, refusals: 0, sent: [], taken: [] });
  }
  for (const { kind, arrivedAtMs, endedAtMs } of ends) {
    const [arrival, end] = [byTime.get(arrivedAtMs), byTime.get(endedAtMs)];
    if (arrival !== undefined) arrival.arrivals += 1;
    if (end !== undefined && kind === 'completed') end.answers += 1;
    else if (end !== undefined) end.refusals += 1;
  }
  for (const batch of batches) {
    byTime.get(batch.startedAtMs)?.sent.push(batch);
    byTime.get(batch.answeredAtMs)?.taken.push(batch);
  }
  const happened = ({ arrivals, answers, refusals, sent, taken }: Turn) =>
    arrivals + answers + refusals + sent.length + taken.length > 0;
  return [...byTime.values()].filter(happened).sort((a, b) => a.atMs - b.atMs);
}

export function threadIntervals(record: ServedRecord): readonly TurnInterval[] {
  const turns = turnsOf(record);
  return turns.slice(1).map((next, index): TurnInterval => {
    const turn = turns[index] as Turn;
    const busyMs = Math.max(0, next.atMs - turn.atMs - (next.restedMs - turn.restedMs));
    const workedMs = Math.max(0, next.workedMs - turn.workedMs);
    const { answers, refusals, sent } = turn;
    return { busyMs, workedMs, arrivals: next.arrivals, answers, refusals, sent, taken: next.taken };
  });
}

const keyOf = ({ stageId, variantId }: Pick<ServedBatch, 'stageId' | 'variantId'>): string =>
  JSON.stringify([stageId, variantId]);

/** Times (ms) from sending a batch until its answer is there, one for each batch of the record. */
export function replicaTimes(record: ServedRecord, costs: ThreadCosts): ReadonlyMap<ServedBatch, number> {
  const turns = turnsOf(record);
  const foundResting = new Set<number>();
  for (const [index, turn] of turns.entries()) {
    const before = turns[index - 1];
    if (before === undefined || turn.restedMs - before.restedMs >= LEAST_REST_MS) foundResting.add(turn.atMs);
  }
  const threads = new Map(costs.map((cost) => [keyOf(cost), cost.thread]));
  const handledMs = (batch: ServedBatch): number => {
    const thread = threads.get(keyOf(batch));
    return thread === undefined ? 0 : thread.hopMs.value + thread.itemMs.value * batch.batchSize;
  };
  const ways = new Map<string, number[]>();
  for (const batch of record.batches) {
    if (!foundResting.has(batch.answeredAtMs)) continue;
    const wayMs = Math.max(0, batch.ms - handledMs(batch) - batch.serviceMs);
    const known = ways.get(keyOf(batch));
    if (known === undefined) ways.set(keyOf(batch), [wayMs]);
    else known.push(wayMs);
  }
  const usualWayMs = new Map([...ways].map(([key, waysMs]) => [key, medianOf(waysMs)]));
  return new Map(
    record.batches.map((batch) => {
      const leastMs = Math.min(batch.ms, batch.serviceMs);
      const ms = foundResting.has(batch.answeredAtMs)
        ? batch.ms - handledMs(batch)
        : batch.serviceMs + (usualWayMs.get(keyOf(batch)) ?? 0);
      return [batch, Math.min(batch.ms, Math.max(leastMs, ms))];
    }),
  );
}

import { stageId, variantId } from '@equipoise/core/model';
import { expect, it } from 'vitest';
import type { ServedBatch } from './batch-times.js';
import { replicaTimes, threadIntervals } from './thread-turns.js';

const batch = (startedAtMs: number, answeredAtMs: number, serviceMs: number): ServedBatch => ({
  stageId: stageId('a'),
  variantId: variantId('v'),
  cpuCores: 1,
  batchSize: 2,
  startedAtMs,
  answeredAtMs,
  ms: answeredAtMs - startedAtMs,
  serviceMs,
});
const known = (value: number) => ({ value, halfWidth: 0 });
const thread = {
  arrivalMs: known(1),
  answerMs: known(1),
  refusalMs: known(1),
  hopMs: known(0.6),
  itemMs: known(0.2),
  spread: [],
};
const ends = [
  { kind: 'completed', arrivedAtMs: 10, endedAtMs: 20, leftMs: 0, latencyMs: 10 },
  { kind: 'dropped', reason: 'queue-full', arrivedAtMs: 20.5, endedAtMs: 20.5, leftMs: 0, latencyMs: 0 },
] as const;

/** The thread works for 2 ms after the turn at 10, rests until 20, and has two more turns without a rest. */
const batches = [batch(10, 20, 5), batch(10, 21, 5)];
const record = {
  turns: [
    { atMs: 10, restedMs: 100, workedMs: 50 },
    // Nothing happens in this turn.
    { atMs: 12, restedMs: 100, workedMs: 52 },
    { atMs: 20, restedMs: 108, workedMs: 52.4 },
    { atMs: 20.5, restedMs: 108, workedMs: 53 },
    { atMs: 21, restedMs: 108, workedMs: 53.4 },
  ],
  ...{ ends, batches, fanOuts: {}, edges: [] },
};

it('says for how long the thread was busy between turns, and what it did', () => {
  const [first, second, third] = threadIntervals(record);
  expect(first).toMatchObject({ busyMs: 2, arrivals: 0, answers: 0, refusals: 0, sent: batches, taken: [batches[0]] });
  expect(first?.workedMs).toBeCloseTo(2.4, 9);
  expect(second).toMatchObject({ busyMs: 0.5, arrivals: 1, answers: 1, refusals: 0, sent: [], taken: [] });
  expect(third).toMatchObject({ busyMs: 0.5, arrivals: 0, answers: 0, refusals: 1, taken: [batches[1]] });
});

it('takes the work of the thread from the time of a batch, and its wait for the thread', () => {
  const costs = [{ stageId: stageId('a'), variantId: variantId('v'), thread }];
  const times = replicaTimes(record, costs);
  // The thread rested when the first answer came: 10 ms, without 0.6 + 2 · 0.2 of the thread.
  expect(times.get(batches[0] as ServedBatch)).toBeCloseTo(9, 9);
  // The second answer waited. Its way to the replica and back took 4 ms, as that of the first.
  expect(times.get(batches[1] as ServedBatch)).toBeCloseTo(9, 9);
});

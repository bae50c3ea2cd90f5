import type { EngineMetricsAnswer } from '@equipoise/core/ports';
import { ManualClock } from '@equipoise/testkit';
import { afterEach, expect, it } from 'vitest';
import type { GraphEngine } from '../render/engines/targets.js';
import { EVERY_KIND, specOf } from '../render/render-request.test-support.js';
import { EngineWatch } from './engine-watch.js';

const spec = specOf(EVERY_KIND);
const START_EPOCH_MS = Date.UTC(2026, 5, 1);

let clock: ManualClock;
let abort: AbortController;
let running: Promise<void>;
/** Requests of the serving graph and of that of a canary; those beyond the SLO; age of the samples. */
let source: { serving: number; canary?: number; late: number; ageMs: number; isWhole: boolean; failure?: string };

function answer(): EngineMetricsAnswer {
  const countersOf = (graph: string, total: number, late: number) => ({
    graph,
    ageMs: source.ageMs,
    arrivedTotal: total,
    endedTotal: total,
    withinSloTotal: total - late,
    latencies: [
      { upToS: 0.4, count: total - late },
      { upToS: Number.POSITIVE_INFINITY, count: late },
    ],
  });
  const canary = source.canary === undefined ? [] : [countersOf('shelf--next', source.canary, source.late)];
  return {
    staleAfterMs: 20_000,
    graphs: [countersOf('shelf', source.serving, source.isWhole ? source.late : 0), ...canary],
    workloads: [],
    missing: [],
  };
}

function start(engine: GraphEngine): EngineWatch {
  clock = new ManualClock();
  abort = new AbortController();
  source = { serving: 1_000, late: 0, ageMs: 0, isWhole: engine === 'kserve' };
  const watch = new EngineWatch(
    {
      clock,
      nowEpochMs: () => START_EPOCH_MS + clock.nowMs(),
      engineMetrics: {
        read: () =>
          source.failure === undefined ? Promise.resolve(answer()) : Promise.reject(new Error(source.failure)),
      },
    },
    { engine, namespace: 'n', spec: () => spec },
    () => {},
  );
  running = watch.run(abort.signal);
  return watch;
}

/** Rounds of 5 s, each with more requests. */
async function rounds(count: number, more: { serving?: number; canary?: number; late?: number } = {}): Promise<void> {
  for (let round = 0; round < count; round++) {
    source.serving += more.serving ?? 0;
    if (more.canary !== undefined) source.canary = (source.canary ?? 500) + more.canary;
    source.late += more.late ?? 0;
    await clock.advanceTo(clock.nowMs() + 5_000);
  }
}

afterEach(async () => {
  abort.abort();
  await running;
});

it('counts from the first sample and spreads a round over its seconds', async () => {
  const watch = start('seldon-v2');
  await rounds(12, { serving: 100 });
  const { arrivalsPerSecond } = watch.history.load(clock.nowMs());
  expect(arrivalsPerSecond.length).toBeGreaterThanOrEqual(50);
  expect(new Set(arrivalsPerSecond)).toEqual(new Set([20]));
  expect(watch.history.window(99)?.arrivalRps).toBeCloseTo(20, 5);
  expect(watch.history.window(99)?.sloAttainmentFraction).toBe(1);
});

it.each([
  ['seldon-v2', 100],
  // The serving graph of KServe forwards to that of the canary, so it counts all requests.
  ['kserve', 80],
] as const)('tells the sides of a canary apart: %s', async (engine, before) => {
  const watch = start(engine);
  await rounds(2, { serving: 100 });
  // The series exist from an earlier canary.
  await rounds(1, { serving: 100, canary: 0 });
  watch.noteShare(0.1);
  await rounds(2, { serving: 100, canary: 20 });
  await rounds(5, { serving: 100, canary: 20, late: 10 });
  expect(watch.sides?.after).toEqual({ ended: 100, missed: 50 });
  expect(watch.sides?.before).toEqual({ ended: 5 * before, missed: 0 });
});

it.each([
  ['seldon-v2', 24, 100],
  ['kserve', 20, 80],
] as const)('sees no burst when the series of an ended canary end: %s', async (engine, mostRps, before) => {
  const watch = start(engine);
  await rounds(2, { serving: 100 });
  await rounds(4, { serving: 100, canary: 20 });
  delete source.canary;
  await rounds(2, { serving: 100 });
  expect(Math.max(...watch.history.load(clock.nowMs()).arrivalsPerSecond)).toBe(mostRps);
  // The next canary, whose series continue those of the first.
  watch.noteShare(0.1);
  await rounds(2, { serving: 100 });
  source.canary = 580;
  await rounds(1, { serving: 100, canary: 20 });
  expect(Math.max(...watch.history.load(clock.nowMs()).arrivalsPerSecond)).toBe(mostRps);
  expect(watch.sides?.before).toEqual({ ended: before, missed: 0 });
});

it('says which series stopped and since when, and keeps what is known', async () => {
  const watch = start('seldon-v2');
  await rounds(4, { serving: 100 });
  expect([watch.hasSignal, watch.stale]).toEqual([true, undefined]);
  source.failure = 'connect ECONNREFUSED';
  await rounds(5, { serving: 100 });
  expect(watch.hasSignal).toBe(false);
  expect(watch.stale).toEqual({
    reason: 'MetricsMissing',
    source: 'series of shelf',
    message: 'No fresh series of shelf since 2026-06-01T00:00:20Z: connect ECONNREFUSED. The last plan is kept.',
  });
  expect(watch.history.hasPages).toBe(true);
  delete source.failure;
  await rounds(1, { serving: 100 });
  expect(watch.stale).toBeUndefined();
});

it('counts no sample twice, and restarted counters from zero', async () => {
  const watch = start('seldon-v2');
  await rounds(2, { serving: 100 });
  source.ageMs = 15_000;
  await rounds(1, { serving: 100 });
  source.ageMs = 0;
  await rounds(1);
  source.serving = 30;
  await rounds(1);
  expect(watch.history.outcomes()).toEqual({ ended: 330, missed: 0 });
});

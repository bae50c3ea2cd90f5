import { AppError, type LoadObservation } from '@equipoise/core/model';
import { ManualClock } from '@equipoise/testkit';
import { Registry } from 'prom-client';
import { expect, it } from 'vitest';
import { RequestStatistics } from '../data-plane/request-statistics.js';
import { bench, servingSpec } from '../data-plane/serving-bench.test-support.js';
import { BucketExemplars } from './bucket-exemplars.js';
import { burnRateOf, RequestMetrics, watchArrivals } from './request-metrics.js';
import { watchStages } from './stage-metrics.js';

it('shows arrivals of the last moments, and how bursty they are once that is known', async () => {
  let load: LoadObservation = { arrivalsPerSecond: [4], latest: [{ windowS: 0.25, arrivals: 3 }] };
  const statistics = { load: (atMs: number) => ({ ...load, latest: atMs === 7 ? load.latest : [] }) };
  const registry = new Registry();
  watchArrivals(registry, { nowMs: 7, statistics: statistics as unknown as RequestStatistics });
  const lines = async () => (await registry.metrics()).split('\n').filter((line) => /^equipoise/.test(line));
  expect(await lines()).toEqual(['equipoise_arrivals_latest{window_seconds="0.25"} 3']);
  load = { arrivalsPerSecond: [4], burstiness: { sloMs: 250, dispersionAtSlo: 1.5, dispersionAt10s: 6 } };
  expect(await lines()).toEqual([
    'equipoise_arrival_dispersion{window_seconds="0.25"} 1.5',
    'equipoise_arrival_dispersion{window_seconds="10"} 6',
  ]);
});

it('keeps the newest trace of each bucket', () => {
  const exemplars = new BucketExemplars('t_seconds', [0.1, 1], { pipeline: 'p' }, () => 5000);
  expect(exemplars.all()).toEqual([]);
  for (const [traceId, value] of [
    ['a', 0.05],
    ['b', 0.1],
    ['c', 7],
  ] as const)
    exemplars.note(traceId, value);
  expect(exemplars.all()).toEqual([
    { sample: 't_seconds_bucket{le="0.1",pipeline="p"}', traceId: 'b', value: 0.1, atEpochMs: 5000 },
    { sample: 't_seconds_bucket{le="+Inf",pipeline="p"}', traceId: 'c', value: 7, atEpochMs: 5000 },
  ]);
});

it('divides missed requests by those that may be missed', () => {
  const statistics = new RequestStatistics(0, 100);
  const end = { arrivedAtMs: 0, leftMs: 100, endedAtMs: 500 };
  for (let i = 0; i < 98; i++) statistics.ended({ kind: 'completed', latencyMs: 50, ...end });
  statistics.ended({ kind: 'completed', latencyMs: 150, ...end });
  statistics.ended({ kind: 'dropped', reason: 'queue-full', latencyMs: 1, ...end });
  expect(burnRateOf(statistics.recentSeconds(1000, 300), 99)).toBeCloseTo(2);
  expect(burnRateOf([], 99)).toBeUndefined();
});

it('counts what the start refused before and after the metrics began', async () => {
  const { pipeline } = bench(servingSpec(['a']), new ManualClock(), { a: (item) => item });
  pipeline.refusedEarly('no-ready-replica', { count: 2 });
  pipeline.countAnew();
  const registry = new Registry();
  new RequestMetrics(registry).watch(pipeline);
  pipeline.refusedEarly('no-ready-replica');
  const page = await registry.metrics();
  expect(page).toContain('equipoise_requests_total{outcome="dropped",reason="no-ready-replica"} 3\n');
  expect(page).toContain('equipoise_arrivals_total 3\n');
});

it('requests and batches enter prom-client, which takes labels as objects, only when a page is read', async () => {
  const clock = new ManualClock();
  const { pipeline } = bench(servingSpec(['a', 'b']), clock, {
    a: (item) => item,
    b: (item) => ('bad' in item ? new AppError('INVALID_INPUT', 'odd') : item),
  });
  const registry = new Registry();
  const requests = new RequestMetrics(registry);
  requests.watch(pipeline);
  watchStages(registry, { runner: pipeline, runningPlan: () => ({ stages: {} }) });
  const calls: string[] = [];
  for (const metric of registry.getMetricsAsArray()) {
    const methods = metric as unknown as Record<string, (...values: unknown[]) => unknown>;
    for (const name of ['inc', 'set', 'observe', 'labels', 'zero', 'reset']) {
      const method = methods[name];
      if (method === undefined) continue;
      methods[name] = (...values) => {
        calls.push(`${metric.name} ${name}`);
        return method.apply(metric, values);
      };
    }
  }
  const bad = { bad: { datatype: 'BOOL' as const, shape: [0], data: new Uint8Array() } };
  const all = [pipeline.submit({}), pipeline.submit(bad as never), pipeline.submit({}, { timeoutMs: 5 })];
  requests.answered({ protocol: 'rest', code: 'OK' });
  requests.shared('returned');
  requests.refused('stream');
  await clock.advanceTo(clock.nowMs() + 60);
  await Promise.all(all);
  expect(calls).toEqual([]);
  const page = await registry.metrics();
  expect(calls).toContain('equipoise_requests_total inc');
  expect(page).toContain('equipoise_requests_total{outcome="failed",reason="invalid_input"} 1\n');
  expect(page).toContain('equipoise_batch_size_count{stage="a",variant="v"} 2\n');
  expect(page).toContain('equipoise_failed_items_total{stage="b",variant="v"} 1\n');
});

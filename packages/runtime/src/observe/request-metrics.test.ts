import type { LoadObservation } from '@equipoise/core/model';
import { Registry } from 'prom-client';
import { expect, it } from 'vitest';
import type { RequestStatistics } from '../data-plane/request-statistics.js';
import { watchArrivals } from './request-metrics.js';

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

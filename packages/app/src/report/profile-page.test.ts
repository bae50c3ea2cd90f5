import { stageId, variantId } from '@equipoise/core/model';
import type { MeasuredPoint, PipelineProfile, ServiceFigures } from '@equipoise/runtime';
import { expect, it } from 'vitest';
import { htmlPage } from './page/html-page.js';
import { profilePage } from './profile-page.js';

const reportOf = (of: PipelineProfile): string => htmlPage(profilePage('shelf', of));
const plotsIn = (html: string): number => html.match(/<figure/g)?.length ?? 0;

const machine = {
  cpuModel: 'Test <CPU>',
  coresAvailable: 4,
  memoryGib: 16,
  platform: 'linux',
  arch: 'x64',
  nodeVersion: 'v20.0.0',
};

const figures = (meanMs: number): ServiceFigures => ({
  ...{ meanMs, p50Ms: meanMs, p95Ms: 1.2 * meanMs, p99Ms: 1.5 * meanMs, throughputRps: 1000 / meanMs },
  ...{ batches: 400, meanUncertaintyFraction: 0.013, p99IntervalMs: [1.4 * meanMs, 1.7 * meanMs], endedBy: 'sure' },
});

const point = (batchSize: number, meanMs: number): MeasuredPoint => ({
  ...{ cpuCores: 1, batchSize, busyNeighbours: 3, memoryBytes: 64 * 2 ** 20 },
  ...figures(meanMs),
  idle: figures(0.8 * meanMs),
});

const profile: PipelineProfile = {
  machine,
  variants: [
    {
      stageId: stageId('detect'),
      variantId: variantId('small'),
      points: [point(1, 10), { ...point(2, 20), endedBy: 'time-cap' }, point(4, 16)],
      skipped: [8, 16].map((batchSize) => ({ cpuCores: 1, batchSize, kind: 'over-slo', reason: 'it takes too long' })),
      fits: [
        { cpuCores: 1, batchSizes: [1, 2, 4], fittedMs: [10, 20, 20], raisedFraction: 0.25, leaveOneOutFraction: 0.4 },
      ],
      loadMs: 120,
      depth: 'full',
      measuredAtEpochMs: Date.UTC(2026, 0, 2),
      identity: { machine, runtime: { isolation: 'thread' }, artifact: 'a', module: 'm', parameters: 'p', inputs: 'i' },
    },
  ],
  notMeasured: [{ stageId: stageId('join'), variantId: variantId('only'), reason: 'a synthetic stage' }],
};

it('tells every figure with its certainty, and what was left out', () => {
  const html = reportOf(profile);
  const texts = [
    'Profile of shelf',
    '4 × Test &#60;CPU&#62;, 16 GiB, Node v20.0.0 · measured 2026-01-02',
    'Stage detect',
    '10 ms ±1.3 %',
    '15 ms (14 ms to 17 ms)',
    '12.8 ms',
    '64 MiB',
    '100 at batch 1',
    '400, time was up',
    '25.0 %',
    '40.0 %',
    '1 core, batch 8, 16',
    'it takes too long',
    'a synthetic stage',
  ];
  const shown = html.replace(/<\/?span[^>]*>/g, '');
  expect(texts.filter((text) => !shown.includes(text))).toEqual([]);
});

it('has plots of times, throughput, neighbours and the fit, and no figure that is not a number', () => {
  const html = reportOf(profile);
  expect(plotsIn(html)).toBe(4);
  const drawn = html.match(/<svg.*?<\/svg>/gs)?.join('') ?? '';
  expect(/NaN|Infinity|undefined/.test(drawn)).toBe(false);
});

it('has no plot of neighbours where none could be busy, and no fit where nothing was measured', () => {
  const [variant] = profile.variants as [PipelineProfile['variants'][number]];
  const points = variant.points.map(({ idle: _, ...rest }) => rest);
  const alone = reportOf({ ...profile, variants: [{ ...variant, points }] });
  expect(plotsIn(alone)).toBe(3);
  const empty = reportOf({ ...profile, variants: [] });
  expect(plotsIn(empty)).toBe(0);
  expect(empty).toContain('a synthetic stage');
});

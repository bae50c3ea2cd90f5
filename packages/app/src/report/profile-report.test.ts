import { stageId, variantId } from '@equipoise/core/model';
import type { MeasuredPoint, PipelineProfile, ServiceFigures } from '@equipoise/runtime';
import { expect, it } from 'vitest';
import { profileReport } from './profile-report.js';

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

it('tells every figure with its certainty, and what was left out', async () => {
  const html = await profileReport('shelf', profile);
  const texts = [
    'Profile of shelf',
    '4 × Test &lt;CPU&gt;, 16 GiB, Node v20.0.0 · measured 2026-01-02',
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
  expect(texts.filter((text) => !html.includes(text))).toEqual([]);
});

it('is one file with plots inside and nothing from elsewhere', async () => {
  const html = await profileReport('shelf', profile);
  expect(html.match(/<svg/g)).toHaveLength(3);
  expect(/<script|<link|<img|href=|src=/.test(html)).toBe(false);
  expect(html.replaceAll(/xmlns(:\w+)?="[^"]*"/g, '').includes('http')).toBe(false);
});

it('has no plot of neighbours where none could be busy, and no fit where nothing was measured', async () => {
  const [variant] = profile.variants as [PipelineProfile['variants'][number]];
  const points = variant.points.map(({ idle: _, ...rest }) => rest);
  const alone = await profileReport('shelf', { ...profile, variants: [{ ...variant, points }] });
  expect(alone.includes('Cost of busy neighbours')).toBe(false);
  const empty = await profileReport('shelf', { ...profile, variants: [] });
  expect(empty.includes('<svg')).toBe(false);
  expect(empty).toContain('a synthetic stage');
});

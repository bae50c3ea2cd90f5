import { expect, it } from 'vitest';
import { plotsOf } from '../page/html-page.js';
import { isSeries } from '../plot/plot-spec.js';
import { sampleRun } from '../sample-run.test-support.js';
import { runColumns, thinned } from './run-columns.js';
import { runPage } from './run-page.js';
import type { RunPoint } from './run-record.js';

const run = sampleRun({ pipeline: 'p', stages: ['a', 'b'], seconds: 1200 });

it('has a gap where nothing was recorded', () => {
  const points = [...run.points.slice(0, 5), ...run.points.slice(100, 103)];
  const { xs, of } = runColumns(points);
  expect(xs).toHaveLength(9);
  expect(of(({ arrivalRps }) => arrivalRps).map((value) => value === null)).toEqual(
    [0, 0, 0, 0, 0, 1, 0, 0, 0].map(Boolean),
  );
});

it('joins points: means of rates, maxima of latencies and queues, the last value of all else', () => {
  const few = thinned(run, 100);
  expect(few).toHaveLength(100);
  expect(thinned(run, 1200)).toBe(run.points);
  const group = run.points.slice(12 * 67, 12 * 68);
  const meanOf = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
  const point = few[67];
  expect(point?.arrivalRps).toBeCloseTo(meanOf(group.map(({ arrivalRps }) => arrivalRps)));
  expect(point?.drops?.['queue-full']).toBeCloseTo(meanOf(group.map(({ drops = {} }) => drops['queue-full'] ?? 0)));
  expect(point?.p99Ms).toBe(Math.max(...group.map(({ p99Ms }) => p99Ms ?? 0)));
  expect(point?.stages['a']?.cpuCores).toBe(group.at(-1)?.stages['a']?.cpuCores);
});

it('has key figures that follow from the points', () => {
  const { facts } = runPage(run);
  const sum = (of: (point: (typeof run.points)[number]) => number | undefined) =>
    run.points.reduce((total, point) => total + (of(point) ?? 0), 0);
  const dropped = sum(({ drops = {} }) => Object.values(drops).reduce((total, rps) => total + rps, 0));
  const ended = sum(({ completedRps }) => completedRps) + dropped;
  const within = (sum(({ completedRps }) => completedRps) - sum(({ lateRps }) => lateRps)) / ended;
  expect(facts.find(({ label }) => label === 'Within the SLO')).toMatchObject({
    ...{ value: `${(100 * within).toFixed(2)} %`, note: 'p99 ≤ 400 ms', status: 'ok' },
  });
  expect(facts.find(({ label }) => label === 'Plan changes')).toMatchObject({
    value: '3',
    note: 'of 4 decisions',
  });
});

it('shows all points if the clock was set back', () => {
  const short = sampleRun({ pipeline: 'p', stages: ['a'], seconds: 200 });
  const points = short.points.map((point, i) => (i < 100 ? point : { ...point, atEpochMs: point.atEpochMs - 150_000 }));
  const page = runPage({ ...short, points });
  const times = points.map(({ atEpochMs }) => atEpochMs / 1000).sort((a, b) => a - b);
  const [plot] = plotsOf(page);
  expect(plot?.x.domain).toEqual([times[0], times.at(-1)]);
  for (const layer of plot?.layers.filter(isSeries) ?? []) expect(layer.xs).toEqual(times);
  expect(page.lead).toContain('(2 minutes). The clock was set back');
  expect(runPage(short).lead).not.toContain('set back');
});

it('is whole without points, decisions or latencies', () => {
  const { sections, facts } = runPage({ ...run, points: [], decisions: [], latencies: [] });
  expect(sections).toEqual([]);
  expect(facts.map(({ label }) => label)).toEqual(['Plan changes']);
});

it('takes more points than a call has arguments', () => {
  const [first] = run.points;
  const points = Array.from({ length: 150_000 }, (_, i) => ({ ...first, atEpochMs: 1000 * i }) as RunPoint);
  const { facts } = runPage({ ...run, points });
  expect(facts.find(({ label }) => label === 'Arrivals')?.note).toMatch(/^at most \d/);
});

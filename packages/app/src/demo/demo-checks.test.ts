import { parsePipelineFile } from '@equipoise/pipeline-file';
import { describe, expect, it } from 'vitest';
import { profilesFor } from '../compose/profiles-for.js';
import { syntheticPipeline } from '../equipoise.test-support.js';
import { type DemoFigures, demoChecks } from './demo-checks.js';
import { demoLoad, peakRps } from './demo-load.js';
import { type PlanInForce, type RunTotals, type SecondRow, totalsOf } from './demo-record.js';
import { demoText, ladderText, planLadder } from './demo-text.js';

const totals = (over: Partial<RunTotals> = {}): RunTotals => ({
  arrived: 100,
  completed: 100,
  dropped: 0,
  failed: 0,
  sloAttainmentFraction: 1,
  pasMean: 0.8,
  ...over,
});

const planWith = (pas: number): PlanInForce => ({
  atS: 0,
  reason: '',
  plan: {
    stages: {},
    predicted: { latencyMs: 1, percentile: 99, pas, capacityRps: 10 / pas, cpuCores: 1, costPerHour: 1 },
  },
});

const good: DemoFigures = {
  totals: totals(),
  plans: [0.8, 0.7, 0.8].map(planWith),
  cheapest: totals({ pasMean: 0.5 }),
  best: totals({ pasMean: 0.9, sloAttainmentFraction: 0.6 }),
  overheadFraction: 0.1,
};

describe('demoChecks', () => {
  it('passes a run that keeps every promise', () => {
    expect(demoChecks(good).filter(({ met }) => !met)).toEqual([]);
  });

  it.each<[string, Partial<DemoFigures>]>([
    ['a drop too many', { totals: totals({ sloAttainmentFraction: 0.989 }) }],
    ['a failed request', { totals: totals({ failed: 1 }) }],
    ['no switch up', { plans: [0.8, 0.7].map(planWith) }],
    ['no switch down', { plans: [0.7, 0.8].map(planWith) }],
    ['a load that the best variants carry', { best: totals({ pasMean: 0.9, sloAttainmentFraction: 0.91 }) }],
    ['an accuracy below halfway', { totals: totals({ pasMean: 0.69 }) }],
    ['an overhead above 15 %', { overheadFraction: 0.16 }],
  ])('finds %s, and nothing else', (_, over) => {
    expect(demoChecks({ ...good, ...over }).filter(({ met }) => !met)).toHaveLength(1);
  });

  it('leaves the overhead out where it cannot be measured', () => {
    expect(demoChecks({ ...good, overheadFraction: undefined })).toHaveLength(6);
  });
});

describe('demoText', () => {
  const text = (met: boolean) => demoText({ runs: [], checks: [{ name: 'bar', figure: '1', met }] }, 'r.html', 'busy');

  it('names the uncertainty of the profile as a cause only if a check is not met', () => {
    expect(text(false)).toContain('A likely cause: busy');
    expect(text(true)).not.toContain('busy');
  });
});

describe('ladderText', () => {
  const parsed = parsePipelineFile(syntheticPipeline(), { fileName: 'a.yaml', baseDir: '/' });
  if (parsed.kind === 'invalid') throw new Error('the pipeline is valid');
  const spec = { ...parsed.spec, slo: { latencyMs: 500, percentile: 99.5 } };
  const textTo = (highRps: number) =>
    ladderText(spec, planLadder(spec, profilesFor(spec, 'a.yaml'), { lowRps: 1, highRps }));

  it('names the percentile of the SLO', () => {
    expect(textTo(2)).toContain('p99.5 estimated');
  });

  it('says that the best configuration depends on the load only if it does', () => {
    const same = 'on this machine the same variants and cores are best at each of these loads';
    expect(textTo(2)).toContain(`2. Plan: ${same}.`);
    expect(textTo(100)).toContain('2. Plan: the best configuration depends on the load.');
  });
});

describe('totalsOf', () => {
  const row = (over: Partial<SecondRow>): SecondRow => ({
    atS: 0,
    arrived: 10,
    completed: 10,
    withinSlo: 10,
    dropped: 0,
    failed: 0,
    p99Ms: undefined,
    pas: 0.5,
    capacityRps: 1,
    ...over,
  });

  it('counts drops as misses and weighs accuracy by completed requests', () => {
    const sums = totalsOf([row({}), row({ completed: 5, withinSlo: 4, dropped: 5, pas: 0.8 })]);
    expect(sums).toMatchObject({ arrived: 20, completed: 15, dropped: 5, sloAttainmentFraction: 0.7 });
    expect(sums.pasMean).toBeCloseTo(0.6, 12);
  });
});

describe('demoLoad', () => {
  it('goes beyond what the most accurate plan carries, and ends where it began', () => {
    const points = demoLoad(20, 120);
    expect(peakRps(points)).toBeGreaterThan(20);
    expect(points.at(-1)).toEqual({ ...points[0], atS: 120 });
  });
});

import { afterAll, describe, expect, it } from 'vitest';
import { loadSpec } from '../compose/load-spec.js';
import { syntheticPipeline, TestFolder } from '../equipoise.test-support.js';
import { parseAxis, pointText, specAt, sweepPoints } from './sweep-axes.js';

describe('parseAxis', () => {
  it.each([
    ['arrival-rps=5,10,2.5', [5, 10, 2.5]],
    ['arrival-rps=10..20/3', [10, 15, 20]],
    ['profile-factor=0.1..0.3/3', [0.1, 0.2, 0.3]],
    ['routers=1..5/3', [1, 3, 5]],
    ['load-ms=0', [0]],
  ])('reads %s', (text, values) => {
    expect(parseAxis(text).values).toEqual(values);
  });

  it.each([
    ['speed=1', 'NAME is one of arrival-rps, profile-factor, load-ms'],
    ['arrival-rps', 'expected NAME=VALUES'],
    ['arrival-rps=', 'numbers above 0'],
    ['arrival-rps=0', 'numbers above 0'],
    ['arrival-rps=1,two', 'V1,V2,… or LOW..HIGH/COUNT'],
    ['arrival-rps=1,1', 'each value once'],
    ['arrival-rps=20..10/3', 'with LOW below HIGH and a COUNT of 2 or more'],
    ['routers=1.5', 'whole numbers from 1 to 64'],
    ['routers=65', 'whole numbers from 1 to 64'],
    ['service-factor=0.5', 'numbers from 1 to 10'],
    ['arrival-rps=1..2/1001', 'at most 1000 values, found 1001'],
    ['arrival-rps=Infinity', 'numbers above 0'],
    [`arrival-rps=${'1,'.repeat(100_000)}1`, 'at most 1000 values'],
  ])('refuses %.40s', (text, message) => {
    expect(() => parseAxis(text)).toThrow(message);
  });
});

describe('sweepPoints', () => {
  it('combines all values, the last axis first', () => {
    const points = sweepPoints([parseAxis('slo-ms=100,200'), parseAxis('routers=1,2')]);
    expect(points.map(pointText)).toEqual([
      'routers 1, slo-ms 100',
      'routers 2, slo-ms 100',
      'routers 1, slo-ms 200',
      'routers 2, slo-ms 200',
    ]);
    expect(sweepPoints([])).toEqual([{}]);
  });
});

describe('specAt', () => {
  const folder = new TestFolder();

  afterAll(() => folder.remove());

  it('changes the pipeline at a point only where the point says so', async () => {
    const spec = await loadSpec(`${folder.path}/${folder.write('pipeline.yaml', syntheticPipeline())}`);
    expect(specAt(spec, {})).toEqual(spec);
    const changed = specAt(spec, { sloMs: 50, budgetCores: 7, serviceFactor: 2, intervalMs: 500, loadMs: 9 });
    expect(changed).toMatchObject({
      slo: { latencyMs: 50, percentile: 99 },
      budget: { cpuCores: 7 },
      robustness: { serviceFactor: 2 },
      control: { intervalMs: 500, fastIntervalMs: 500 },
    });
    expect(changed.stages.flatMap(({ variants }) => variants.map(({ loadMs }) => loadMs))).toEqual([9, 9, 9]);
  });
});

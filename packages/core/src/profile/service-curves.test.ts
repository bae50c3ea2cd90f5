import { describe, expect, it } from 'vitest';
import { modelStage, pipeline } from '../estimate/pipeline.test-support.js';
import { stageId, variantId } from '../model/ids.js';
import type { ProfilePoint } from '../model/profile-point.js';
import { type CurvesOf, curvesOf, profileError } from './service-curves.js';
import { lawQuantileMs } from './service-law.js';

const point = (
  cpuCores: number,
  batchSize: number,
  meanMs: number,
  more: Partial<ProfilePoint> = {},
): ProfilePoint => ({
  cpuCores,
  batchSize,
  meanMs,
  ...more,
});

function read(points: readonly ProfilePoint[], cpuCores: readonly number[] = [1], inline = false): CurvesOf {
  const stage = modelStage('detect');
  const variants = stage.variants.map((variant) => ({ ...variant, cpuCores, ...(inline ? { profile: points } : {}) }));
  const spec = pipeline([{ ...stage, variants }], [], ['detect']);
  const profile = { stageId: stageId('detect'), variantId: variantId('v'), points, loadMs: 0 };
  return curvesOf(spec, inline ? [] : [profile]);
}

function curveOf(curves: CurvesOf, cpuCores: number) {
  if (curves.kind === 'invalid') throw profileError(curves.problems);
  return curves.curve(stageId('detect'), variantId('v'), cpuCores);
}

function messages(curves: CurvesOf): readonly string[] {
  return curves.kind === 'invalid' ? curves.problems.map(({ code, message }) => `${code} ${message}`) : [];
}

describe('curvesOf', () => {
  it('reads measured and inline profiles, whatever the order of their points', () => {
    for (const inline of [false, true]) {
      const curve = curveOf(read([point(1, 4, 40), point(1, 1, 16)], [1], inline), 1);
      expect(curve?.batchSizes).toEqual([1, 4]);
      expect(curve?.meanMs(2)).toBe(24);
    }
  });

  it('adds the network time of a stage to each batch, also to the robust times', () => {
    const stage = { ...modelStage('detect'), networkMs: 3 };
    const profile = [point(1, 1, 16, { p99Ms: 20 }), point(1, 4, 40)];
    const variants = stage.variants.map((variant) => ({ ...variant, cpuCores: [1], profile }));
    const spec = { ...pipeline([{ ...stage, variants }], [], ['detect']), robustness: { serviceFactor: 2 } };
    const curves = curvesOf(spec, []);
    const curve = curveOf(curves, 1);
    expect([1, 2, 4].map((size) => Math.round(curve?.meanMs(size) ?? 0))).toEqual([19, 27, 43]);
    expect(curve && lawQuantileMs(curve.law(1), 0.99)).toBeCloseTo(23, 6);
    const robust = curves.kind === 'curves' ? curves.robust?.curve(stageId('detect'), variantId('v'), 1) : undefined;
    expect([1, 4].map((size) => Math.round(robust?.meanMs(size) ?? 0))).toEqual([35, 83]);
  });

  it('gives a share the points of one core, and points measured under the share first', () => {
    const shared = curveOf(read([point(1, 1, 16)], [0.5, 1]), 0.5);
    expect(shared).toMatchObject({ cpuCores: 0.5, shareFraction: 0.5, dispatchCores: 0.5 });
    const measured = curveOf(read([point(1, 1, 16), point(0.5, 1, 40)], [0.5, 1]), 0.5);
    expect(measured).toMatchObject({ cpuCores: 0.5, shareFraction: 1, dispatchCores: 1 });
    expect(measured?.meanMs(1)).toBe(40);
  });

  it('has the quota of a pipeline for unmeasured shares, whose time on the network is no CPU time', () => {
    const stage = { ...modelStage('detect'), networkMs: 3 };
    const variants = stage.variants.map((variant) => ({
      ...variant,
      cpuCores: [0.1, 0.5, 1],
      profile: [point(1, 1, 16), point(0.5, 1, 40)],
    }));
    const spec = pipeline([{ ...stage, variants }], [], ['detect']);
    const curves = curvesOf({ ...spec, cpuQuotaPeriodMs: 100 }, []);
    const quota = { periodMs: 100, networkMs: 3 };
    expect(curveOf(curves, 0.1)).toMatchObject({ shareFraction: 0.1, dispatchCores: 1, quota });
    expect(curveOf(curves, 0.5)?.quota).toBeUndefined();
    expect(curveOf(curves, 1)?.quota).toBeUndefined();
  });

  it.each([
    [{ urls: ['http://other:8000'] }, 1, 0],
    [{ urls: ['http://127.0.0.1:{port}'], command: ['serve'] }, 0.1, 0.1],
  ])('does not slow down a server that runs already: %j', (place, shareFraction, dispatchCores) => {
    const stage = modelStage('detect');
    const server = { model: 'm', batching: 'stack', ...place } as const;
    const variants = stage.variants.map((variant) => ({
      ...variant,
      cpuCores: [0.1],
      server,
      profile: [point(1, 1, 16)],
    }));
    const curves = curvesOf(pipeline([{ ...stage, variants }], [], ['detect']), []);
    expect(curveOf(curves, 0.1)).toMatchObject({ cpuCores: 0.1, shareFraction, dispatchCores });
  });

  it('has no curve where nothing was measured', () => {
    const curves = read([point(1, 1, 16)], [1, 4]);
    expect(curveOf(curves, 4)).toBeUndefined();
    expect(curveOf(curves, 1)).toBeDefined();
  });

  it('tells all that is wrong at once', () => {
    const found = messages(read([point(1, 1, Number.NaN), point(1, 2, -3), point(2, 1, 10, { p99Ms: 5 })], [1, 2]));
    expect(found).toHaveLength(3);
    expect(found[0]).toContain(
      'PROFILE_INVALID variant v of stage detect, profile point of 1 core and batch size 1: meanMs',
    );
    expect(found[2]).toContain('p99Ms 5 is below the mean of 10 ms');
  });

  it('names missing profiles, core counts that were not profiled and sizes given twice', () => {
    expect(messages(read([]))).toEqual([
      expect.stringContaining('PROFILE_MISSING variant v of stage detect has no profile'),
    ]);
    expect(messages(read([point(2, 1, 9)], [1]))[0]).toContain('may have 1 cores but was profiled on 2');
    expect(messages(read([point(1, 2, 9), point(1, 2, 8)]))[0]).toContain('batch size 2 is given twice for 1 core');
  });

  it('warns of a tail that no lognormal has', () => {
    const curves = read([point(1, 1, 10, { p99Ms: 300 })]);
    expect(curves.kind === 'curves' && curves.warnings[0]).toContain('30.0 times the mean');
  });

  it('makes one error of all problems', () => {
    const curves = read([point(1, 1, Number.NaN), point(1, 2, 0)]);
    if (curves.kind !== 'invalid') throw new Error('expected problems');
    const error = profileError(curves.problems);
    expect(error.code).toBe('PROFILE_INVALID');
    expect(error.message.split('\n')).toHaveLength(2);
  });
});

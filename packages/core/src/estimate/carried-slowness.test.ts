import { describe, expect, it } from 'vitest';
import { stageId } from '../model/ids.js';
import { chainSpec, planOf } from '../model/spec-builders.test-support.js';
import { requireCurves } from '../profile/service-curves.js';
import { carriedSlowness } from './carried-slowness.js';

const [a, b] = [stageId('a'), stageId('b')];
const points = [80, 320].map((meanMs, i) => ({ cpuCores: 1, batchSize: i === 0 ? 1 : 8, meanMs }));

function carries(slo: { readonly latencyMs: number; readonly percentile: number }, of = a, names = ['a']) {
  const chain = chainSpec(Object.fromEntries(names.map((name) => [name, points])));
  const spec = { ...chain, slo };
  const { stages } = planOf(spec, { maxBatchSize: 4, replicas: 3 });
  return carriedSlowness({ spec, curves: requireCurves(spec, []), stages, stageId: of });
}

describe('carriedSlowness', () => {
  const tight = carries({ latencyMs: 400, percentile: 99 });

  it('is limited by latency before capacity, and by the rate', () => {
    expect([1, 1.1, 1.15, 1.3].map((slowness) => tight(slowness, 50))).toEqual([true, true, false, false]);
    expect([1.3, 1.6].map((slowness) => tight(slowness, 30))).toEqual([true, false]);
  });

  it('agrees with simulated misses: 2.0 % at 1.15 times, 0.7 % at 1.1 times, of 1 % allowed', () => {
    expect([tight(1.1, 50), tight(1.15, 50)]).toEqual([true, false]);
  });

  it('is limited by capacity if the latency is not', () => {
    const patient = carries({ latencyMs: 60_000, percentile: 99 });
    expect([1.2, 1.35].map((slowness) => patient(slowness, 50))).toEqual([true, false]);
  });

  it('blames no slowness for what the plan lacks without it', () => {
    expect([tight(1, 80), tight(2, 80)]).toEqual([true, true]);
    const missed = carries({ latencyMs: 100, percentile: 99 });
    expect(missed(1.2, 50)).toBe(true);
    expect(missed(1.4, 50)).toBe(false);
  });

  it('counts the latency of the whole pipeline', () => {
    const both = carries({ latencyMs: 600, percentile: 99 }, b, ['a', 'b']);
    expect([1, 1.3, 2].map((slowness) => both(slowness, 30))).toEqual([true, true, false]);
    expect(carries({ latencyMs: 60_000, percentile: 99 }, b, ['a', 'b'])(1.3, 30)).toBe(true);
  });

  it('has no objection without a plan or a rate', () => {
    const spec = chainSpec({ a: points });
    const unknown = carriedSlowness({ spec, curves: requireCurves(spec, []), stages: {}, stageId: a });
    expect([unknown(9, 50), tight(9, 0)]).toEqual([true, true]);
  });
});

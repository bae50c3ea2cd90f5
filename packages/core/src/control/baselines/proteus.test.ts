import { describe, expect, it } from 'vitest';
import { testStage } from '../../optimize/planning.test-support.js';
import { inputOf, observed, shape, twoStages } from './baselines.test-support.js';
import { demandRps, proteus } from './proteus.js';

const counts = (rps: number) => new Array<number>(60).fill(rps);

describe('proteus', () => {
  it('weighs recent arrivals most', () => {
    expect(demandRps([])).toBe(0);
    expect(demandRps(counts(8))).toBeCloseTo(8);
    expect(demandRps([...counts(0), 10])).toBeCloseTo(10 * (1 - Math.exp(-0.1)), 2);
  });

  it('gives up accuracy as the demand rises within the cluster', () => {
    // 12 cores. Per core: large 10 and 20 rps, small 50 and 100 rps. At 81 rps, 9 + 5 cores are too many: 0.8 · 0.7 is
    // better than 0.6 · 0.9.
    const at = (rps: number) => shape(proteus.begin(inputOf({ sampleArrivalsPerSecond: counts(rps) })).first);
    expect(at(80)).toEqual(['large b2 1x8', 'large b4 1x4']);
    expect(at(81)).toEqual(['large b2 1x9', 'small b8 1x1']);
    expect(at(400)).toEqual(['small b8 1x8', 'small b8 1x4']);
  });

  it('takes the plan that serves most if none serves all', () => {
    const first = proteus.begin(inputOf({ sampleArrivalsPerSecond: counts(1000) })).first;
    expect(shape(first)).toEqual(['small b8 1x8', 'small b8 1x4']);
  });

  it('ignores variants of which one replica of each stage is beyond the cluster', () => {
    const stage = (name: string) =>
      testStage(name, [{ name: 'share', accuracy: 0.5, fixedMs: 0, perItemMs: 10, tail: 1 }], [0.5]);
    const [detect] = twoStages.stages;
    if (detect === undefined) throw new Error('no stage');
    const share = stage('detect').variants;
    const mixed = { ...detect, variants: [...share, ...detect.variants] };
    const spec = { ...twoStages, budget: { cpuCores: 1 }, stages: [mixed, stage('classify')] };
    const begun = (cpuCores: number) => proteus.begin(inputOf({ spec: { ...spec, budget: { cpuCores } } })).first;
    expect(shape(begun(1))).toEqual(['share b8 0.5x1', 'share b8 0.5x1']);
    expect(shape(begun(1.5))[0]).toBe('large b2 1x1');
    expect(() => begun(0.5)).toThrow('the budget is 0.5');
  });

  it('solves every 30 s, and at once beyond the capacity', () => {
    const observer = proteus.begin(inputOf({ sampleArrivalsPerSecond: counts(10) }));
    expect(shape(observer.first)).toEqual(['large b2 1x1', 'large b4 1x1']);
    expect(observer.decide(observed(5000, {}, counts(9)))).toBeUndefined();
    expect(shape(observer.decide(observed(6000, {}, counts(31))))).toEqual(['large b2 1x4', 'large b4 1x2']);
    expect(observer.decide(observed(35_000, {}, counts(5)))).toBeUndefined();
    expect(shape(observer.decide(observed(36_000, {}, counts(5))))).toEqual(['large b2 1x1', 'large b4 1x1']);
  });

  it('refuses a pipeline with too many combinations', () => {
    const [first] = twoStages.stages;
    const many = Array.from({ length: 15 }, (_, i) => ({
      ...first,
      id: `s${i}`,
    })) as unknown as typeof twoStages.stages;
    const edges = many.slice(1).map((stage, i) => ({ from: many[i]?.id as never, to: stage.id }));
    const slo = { latencyMs: 100_000, percentile: 99 };
    const outputs = [{ from: many.at(-1)?.id as never }];
    const sources = [{ name: 'in', to: [many[0]?.id as never], tensors: [] }];
    expect(() =>
      proteus.begin(inputOf({ spec: { ...twoStages, slo, stages: many, edges, sources, outputs } })),
    ).toThrow(/at most 20000 plans; this pipeline has 32768/);
  });
});

import { describe, expect, it } from 'vitest';
import type { Plan } from '../../model/plan.js';
import { testStage } from '../../optimize/planning.test-support.js';
import { inputOf, replicas, shape, twoStages } from './baselines.test-support.js';
import { stagesOf } from './hand-configuration.js';
import { envelopeRps, exceededRps, InferLineTuner, planInferLine } from './inferline.js';

const counts = (rps: number, seconds = 60) => new Array<number>(seconds).fill(rps);
const roomy = { ...twoStages, budget: {} };

describe('traffic envelope', () => {
  it('has the largest rate of each window', () => {
    // Windows of 1, 2, 4, 8, 16, 32 and 60 s. A load of 4 s has no longer windows.
    expect(envelopeRps([0, 6, 2, 0])).toEqual([6, 4, 2, 0, 0, 0, 0]);
  });

  it('tells the largest rate of the windows that exceed the plan', () => {
    expect(exceededRps([10, 8, 6], [10, 8, 6])).toBeUndefined();
    expect(exceededRps([10, 8, 6], [10, 9, 7])).toBe(9);
  });
});

describe('planner', () => {
  const planned = (holds: (stages: Plan['stages']) => boolean, spec = roomy, rps = 30) => {
    const input = inputOf({
      spec,
      sampleArrivalsPerSecond: counts(rps),
      attainment: (stages) => (holds(stages) ? 1 : 0),
    });
    const { configurations, replicas: counted } = planInferLine(input);
    return shape(stagesOf(configurations, counted));
  };

  it('starts from the mean rate and adds replicas to the bottleneck until the sample holds', () => {
    const atLeast = (detect: number) => (stages: Plan['stages']) => (replicas(stages)[0] ?? 0) >= detect;
    // Both carry 30 and 40 rps with 3 and 2 replicas. Held plans then double their batches and lose spare replicas.
    expect(planned(atLeast(3))[0]).toBe('large b8 1x3');
    expect(planned(atLeast(4))[0]).toBe('large b8 1x4');
  });

  it('removes replicas while the sample holds', () => {
    expect(planned(() => true)).toEqual(['large b8 1x1', 'large b8 1x1']);
  });

  it('moves from the fastest core count to a cheaper one if that holds', () => {
    const stage = testStage('detect', [{ name: 'only', accuracy: 1, fixedMs: 0, perItemMs: 100, tail: 1 }], [1, 2, 4]);
    const spec = { ...roomy, stages: [stage], edges: [], outputs: [{ from: stage.id }] };
    const coresAtLeast = (cores: number) => (stages: Plan['stages']) =>
      Object.values(stages).every(([s]) => (s?.resources.cpuCores ?? 0) >= cores);
    expect(planned(coresAtLeast(4), spec, 1)).toEqual(['only b8 4x1']);
    expect(planned(coresAtLeast(2), spec, 1)).toEqual(['only b8 2x1']);
    expect(planned(coresAtLeast(1), spec, 1)).toEqual(['only b8 1x1']);
  });

  it('ends without a plan that holds, after a bounded number of simulations', () => {
    let simulations = 0;
    planned(() => {
      simulations += 1;
      return false;
    });
    expect(simulations).toBeLessThanOrEqual(400);
  });
});

describe('tuner', () => {
  // Planned for 10 rps: detect 2 × 10 rps (utilization 0.5), classify 1 × 20 rps (0.5).
  const sample = { spec: roomy, sampleArrivalsPerSecond: counts(10) };
  const { configurations } = planInferLine(inputOf({ ...sample, attainment: () => 0 }));
  const tuner = () => new InferLineTuner(sample, { configurations, replicas: [2, 1] });

  it('keeps the plan within the envelope', () => {
    expect(tuner().decide({ atMs: 1000, arrivalsPerSecond: counts(10, 20) })).toBeUndefined();
  });

  it('scales up for the exceeded rate at the planned utilization', () => {
    // 30 rps ÷ (10 rps · 0.5) = 6; 30 ÷ (20 · 0.5) = 3.
    expect(replicas(tuner().decide({ atMs: 1000, arrivalsPerSecond: [...counts(10), 30] }))).toEqual([6, 3]);
  });

  it('scales down 15 s after a change, to the largest rate of the last 30 s', () => {
    const tuned = tuner();
    tuned.decide({ atMs: 1000, arrivalsPerSecond: [...counts(10), 30] });
    expect(tuned.decide({ atMs: 15_000, arrivalsPerSecond: counts(10) })).toBeUndefined();
    expect(replicas(tuned.decide({ atMs: 16_000, arrivalsPerSecond: counts(10) }))).toEqual([2, 1]);
  });

  it('notices a rise within the envelope of the sample after it has scaled down', () => {
    const tuned = new InferLineTuner(sample, { configurations, replicas: [4, 2] });
    // 2 rps at a utilization of 0.25: 0.8 and 0.4 replicas.
    expect(replicas(tuned.decide({ atMs: 30_000, arrivalsPerSecond: counts(2) }))).toEqual([1, 1]);
    expect(replicas(tuned.decide({ atMs: 31_000, arrivalsPerSecond: [...counts(2), 8] }))).toEqual([4, 2]);
  });
});

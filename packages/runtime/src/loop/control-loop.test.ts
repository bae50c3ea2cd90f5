import {
  type Actuator,
  type Certificate,
  type Change,
  type Decision,
  type DecisionEvidence,
  type DecisionRecord,
  type Observation,
  type Plan,
  type PlanStore,
  type StagePlan,
  stageId,
  variantId,
} from '@equipoise/core';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { ControlLoop, type ControlLoopParts, type LoopEvent } from './control-loop.js';

const target: StagePlan = {
  variantId: variantId('v'),
  resources: { cpuCores: 1, memoryBytes: 0, gpus: 0 },
  maxBatchSize: 1,
  maxBatchWaitMs: 0,
  replicas: 1,
  trafficFraction: 1,
};
const plan: Plan = {
  stages: { [stageId('a')]: [target] },
  predicted: { latencyMs: 1, percentile: 99, pas: 1, capacityRps: 1, cpuCores: 1, costPerHour: 1 },
};
const change: Change = { kind: 'set-batch', stageId: stageId('a'), to: target };
const certificate: Certificate = {
  claim: 'surrogate',
  theta: 1,
  kappa: 1,
  optimal: true,
  gapFraction: 0,
  upperBound: 1,
  gapToBoundFraction: 0,
  solver: 'test',
  elapsedMs: 1,
  labels: 1,
};
const evidence: DecisionEvidence = {
  forecast: { method: 'test', meanRps: 1, upperRps: 1 },
  result: { kind: 'feasible', plan, objectiveValue: 1, certificate },
};
const apply: Decision = { kind: 'apply', plan, changes: [change], reason: 'better', evidence };
const observation: Observation = {
  atMs: 0,
  load: { arrivalsPerSecond: [] },
  stages: {},
  runningPlan: { stages: {} },
  staleSources: [],
};

class Bench {
  readonly applied: Change[] = [];
  readonly saved: Plan[] = [];
  readonly records: DecisionRecord[] = [];
  readonly events: LoopEvent[] = [];
  decisions = 0;
  readonly loop: ControlLoop;

  constructor(over: Partial<ControlLoopParts> & { readonly applyChange?: () => Promise<void> } = {}) {
    const actuator: Actuator = {
      runningPlan: () => observation.runningPlan,
      apply: async (next) => {
        await over.applyChange?.();
        this.applied.push(next);
      },
      close: async () => {},
    };
    const store = {
      saveLastGoodPlan: (_: string, saved: Plan) => void this.saved.push(saved),
      appendDecision: (_: string, record: DecisionRecord) => void this.records.push(record),
    } as unknown as PlanStore;
    this.loop = new ControlLoop({
      pipelineName: 'p',
      specDigest: 'd',
      mode: 'auto',
      intervalMs: 1000,
      clock: { nowMs: () => Date.now() },
      epochNowMs: () => Date.now(),
      observe: () => observation,
      decide: async () => {
        this.decisions += 1;
        return apply;
      },
      actuator,
      store,
      keepsPlans: true,
      onChanged: () => {},
      report: (event) => this.events.push(event),
      ...over,
    });
  }
}

describe('ControlLoop', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  it('decides, applies, keeps the plan and the decision', async () => {
    const bench = new Bench();
    await bench.loop.tick();
    expect(bench.applied).toEqual([change]);
    expect(bench.saved).toEqual([plan]);
    expect(bench.records).toMatchObject([{ decision: { kind: 'apply' }, outcome: { kind: 'applied', tookMs: 0 } }]);
    expect(bench.events.map(({ kind }) => kind)).toEqual(['decided', 'in-force']);
  });

  it('changes nothing in advise mode, but records what it would do', async () => {
    const bench = new Bench({ mode: 'advise' });
    await bench.loop.tick();
    expect(bench.applied).toEqual([]);
    expect(bench.records).toHaveLength(1);
    expect(bench.records[0]).not.toHaveProperty('outcome');
  });

  it.each<[string, ConstructorParameters<typeof Bench>[0], string]>([
    ['a decision fails', { decide: () => Promise.reject(new Error('solver')) }, 'decide'],
    ['a change fails', { applyChange: () => Promise.reject(new Error('start')) }, 'apply'],
  ])('goes on when %s, keeping no plan', async (_, over, step) => {
    const bench = new Bench(over);
    await bench.loop.tick();
    await bench.loop.tick();
    expect(bench.saved).toEqual([]);
    const outcome = { kind: 'failed', step, message: step === 'decide' ? 'solver' : 'start' };
    expect(bench.records).toMatchObject([{ outcome }, { outcome }]);
    expect(bench.events.filter((event) => event.kind === 'failed' && event.step === step)).toHaveLength(2);
  });

  it.each<[string, Partial<ControlLoopParts>]>([
    ['of a baseline', { keepsPlans: false }],
    [
      'that is the best effort where none is feasible',
      {
        decide: async () => ({
          ...apply,
          evidence: {
            ...evidence,
            result: { kind: 'infeasible', proven: true, bindingConstraint: 'slo', fixes: {}, bestEffort: plan },
          },
        }),
      },
    ],
  ])('applies a plan %s without keeping it', async (_, over) => {
    const bench = new Bench(over);
    await bench.loop.tick();
    expect(bench.applied).toEqual([change]);
    expect(bench.saved).toEqual([]);
  });

  it('leaves no trace of a tick without a decision', async () => {
    const bench = new Bench({ decide: async () => undefined });
    await bench.loop.tick();
    expect([bench.events, bench.applied, bench.saved, bench.records]).toEqual([[], [], [], []]);
  });

  it('goes on when it cannot even observe', async () => {
    const observe = () => {
      throw new Error('a source');
    };
    const bench = new Bench({ observe });
    await bench.loop.tick();
    expect(bench.events).toMatchObject([{ kind: 'failed', step: 'decide' }]);
    expect([bench.applied, bench.saved, bench.records]).toEqual([[], [], []]);
  });

  it('ticks on the grid of its interval and skips what a long tick covers', async () => {
    const bench = new Bench({ applyChange: () => new Promise((resolve) => setTimeout(resolve, 2500)) });
    bench.loop.start();
    await vi.advanceTimersByTimeAsync(999);
    expect(bench.decisions).toBe(0);
    await vi.advanceTimersByTimeAsync(1);
    expect(bench.decisions).toBe(1);
    await vi.advanceTimersByTimeAsync(2999);
    expect(bench.decisions).toBe(1);
    await vi.advanceTimersByTimeAsync(1);
    expect(bench.decisions).toBe(2);
  });

  it('stops after the tick under way, without starting its next change', async () => {
    const bench = new Bench({
      decide: async () => ({ ...apply, changes: [change, change] }),
      applyChange: () => new Promise((resolve) => setTimeout(resolve, 100)),
    });
    bench.loop.start();
    await vi.advanceTimersByTimeAsync(1000);
    const stopped = bench.loop.stop();
    await vi.advanceTimersByTimeAsync(5000);
    await stopped;
    expect(bench.applied).toHaveLength(1);
    expect(bench.decisions).toBeLessThanOrEqual(1);
  });
});

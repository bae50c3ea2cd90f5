import { describe, expect, it } from 'vitest';
import { smoothedRate } from '../forecast/smoothed-rate.js';
import type { Observation } from '../model/decision.js';
import { replicaId, stageId, variantId } from '../model/ids.js';
import type { PipelineSpec } from '../model/pipeline-spec.js';
import type { RunningPlan } from '../model/running-plan.js';
import { smallOrLargeSpec } from '../model/spec-builders.test-support.js';
import { curvesOf } from '../profile/service-curves.js';
import { verifiersOf } from '../simulate/plan-verifier.js';
import { rateBucketEnd } from './planned-load.js';
import { decideByPlan } from './replan.js';
import { type ControlContext, controlPolicies } from './rules.js';
import { Situation } from './situation.js';

const spec: PipelineSpec = { ...smallOrLargeSpec(), control: { mode: 'auto', intervalMs: 10_000, minDwellMs: 20_000 } };

function curvesFor(described: PipelineSpec) {
  const curves = curvesOf(described, []);
  if (curves.kind === 'invalid') throw new Error('the spec has inline profiles');
  return curves;
}

const context: ControlContext = {
  spec,
  profiles: [],
  curves: curvesFor(spec),
  policy: controlPolicies.equipoise,
  forecaster: smoothedRate,
  verifierAt: verifiersOf({
    spec,
    curves: curvesFor(spec),
    hostCores: Number.POSITIVE_INFINITY,
    seed: 1,
    workStageRequests: 20_000,
  }),
};

function running(variant: string, replicas: number): RunningPlan {
  const resources = { cpuCores: 1, memoryBytes: 0, gpus: 0 };
  const replica = (i: number) => ({
    replicaId: replicaId(`r${i}`),
    variantId: variantId(variant),
    resources,
    status: 'ready' as const,
  });
  const stage = {
    replicas: Array.from({ length: replicas }, (_, i) => replica(i)),
    maxBatchSize: 1,
    maxBatchWaitMs: 0,
  };
  return { stages: { [stageId('detect')]: stage } };
}

function observe(rps: number, runningPlan: RunningPlan, over: Partial<Observation> = {}): Observation {
  const detect = { queueLength: 0, droppedTotal: 0, variantSinceMs: 0 };
  return {
    atMs: 60_000,
    load: { arrivalsPerSecond: new Array<number>(60).fill(rps) },
    stages: { [stageId('detect')]: detect },
    runningPlan,
    staleSources: [],
    ...over,
  };
}

/** Decision of a tick with the forecaster of the rules. */
const decide = (rules: ControlContext, observation: Observation) =>
  decideByPlan(new Situation({ rules, observation, plannedRates: undefined }), rules.forecaster);

describe('decideByPlan', () => {
  it('switches to the more accurate variant when the load leaves room', () => {
    const decision = decide(context, observe(5, running('small', 1)));
    expect(decision).toMatchObject({
      kind: 'apply',
      changes: [{ kind: 'switch-variant', to: { variantId: 'large' } }],
    });
  });

  it('switches to the cheaper variant before the load exceeds what the accurate one can carry', () => {
    const decision = decide(context, observe(60, running('large', 2)));
    expect(decision).toMatchObject({
      kind: 'apply',
      changes: [{ kind: 'switch-variant', to: { variantId: 'small' } }],
    });
  });

  it('holds when the best plan is already running', () => {
    const first = decide(context, observe(5, running('small', 1)));
    const replicas = first.kind === 'apply' ? (first.plan.stages[stageId('detect')]?.[0]?.replicas ?? 0) : 0;
    expect(decide(context, observe(5, running('large', replicas)))).toMatchObject({ kind: 'hold' });
  });

  it('does not switch up again so soon, and switches down without regard to the dwell time', () => {
    const recent = { queueLength: 0, droppedTotal: 0, variantSinceMs: 55_000 };
    const stages = { [stageId('detect')]: recent };
    expect(decide(context, observe(5, running('small', 1), { stages }))).toMatchObject({ kind: 'hold' });
    expect(decide(context, observe(60, running('large', 2), { stages }))).toMatchObject({ kind: 'apply' });
  });

  it('does not keep what exceeds the budget, breaks a pin or cannot be simulated, however well it serves', () => {
    const over = (change: Partial<PipelineSpec>) => ({ ...context, spec: { ...spec, ...change } });
    const pinned = spec.stages.map((stage) => ({ ...stage, pins: { variantId: variantId('small') } }));
    expect(decide(context, observe(5, running('large', 3)))).toMatchObject({ kind: 'apply' });
    expect(decide(over({ stages: pinned }), observe(5, running('large', 1)))).toMatchObject({ kind: 'apply' });
    expect(decide(context, observe(5, running('gone', 1)))).toMatchObject({ kind: 'apply' });
  });

  it('plans for the load at the end of its own interval', () => {
    const ramp = { arrivalsPerSecond: Array.from({ length: 60 }, (_, second) => second / 6) };
    const expectedAfter = (intervalMs: number) => {
      const slow = { ...context, spec: { ...spec, control: { ...spec.control, intervalMs } } };
      return decide(slow, observe(0, running('small', 1), { load: ramp })).evidence.forecast.meanRps;
    };
    expect(expectedAfter(40_000) - expectedAfter(10_000)).toBeCloseTo(30 / 6, 0);
  });

  it('holds for a change of batching alone where nothing costs anything', () => {
    const prices = { cpuCorePerHour: 0, memoryGibPerHour: 0, gpuPerHour: 0 };
    const free = { ...context, spec: { ...spec, prices } };
    const first = decide(free, observe(5, running('small', 1)));
    const replicas = first.kind === 'apply' ? (first.plan.stages[stageId('detect')]?.[0]?.replicas ?? 0) : 0;
    const runningNow = running('large', replicas);
    const stage = runningNow.stages[stageId('detect')];
    const batched = {
      stages: { [stageId('detect')]: { replicas: stage?.replicas ?? [], maxBatchSize: 2, maxBatchWaitMs: 0 } },
    };
    expect(decide(free, observe(5, batched))).toMatchObject({ kind: 'hold' });
  });

  it('takes plans and forecasts from where it is told to', () => {
    const forecaster = () => ({ method: 'always', meanRps: 5, upperRps: 5 });
    const told = { ...context, policy: controlPolicies['static-cheapest'], forecaster };
    const decision = decide(told, observe(60, running('large', 2)));
    expect(decision.evidence.forecast.upperRps).toBe(5);
    expect(decision).toMatchObject({ kind: 'apply', changes: [{ to: { variantId: 'small', replicas: 1 } }] });
  });

  it('plans for the budget and the objective of the moment', () => {
    const cheap = { objective: { kind: 'min-cost', accuracyFloor: 0.5 } } as const;
    const later = { ...context, targetAt: (atMs: number) => (atMs < 60_000 ? {} : cheap) };
    expect(decide(later, observe(5, running('small', 1), { atMs: 50_000 }))).toMatchObject({ kind: 'apply' });
    expect(decide(later, observe(5, running('small', 1)))).toMatchObject({ kind: 'hold' });
  });

  it('takes a small saving only where cost is what it minimizes', () => {
    const priced = { cpuCorePerHour: 1, memoryGibPerHour: 0, gpuPerHour: 0 };
    const dear = { ...context, spec: { ...spec, budget: { cpuCores: 40 }, prices: priced } };
    const cheap = { objective: { kind: 'min-cost', accuracyFloor: 0.9 } } as const;
    const enough = decide({ ...dear, targetAt: () => cheap }, observe(600, running('large', 1)));
    const replicas = enough.kind === 'apply' ? (enough.plan.stages[stageId('detect')]?.[0]?.replicas ?? 0) : 0;
    expect(replicas).toBeGreaterThan(10);
    const oneMore = observe(600, running('large', replicas + 1));
    expect(decide(dear, oneMore)).toMatchObject({ kind: 'hold', reason: expect.stringContaining('too small') });
    expect(decide({ ...dear, targetAt: () => cheap }, oneMore)).toMatchObject({ kind: 'apply' });
  });

  it('puts every new plan of a policy in force that keeps none', () => {
    const restless = { ...context.policy, keepsGoodPlans: false };
    const recent = { [stageId('detect')]: { queueLength: 0, droppedTotal: 0, variantSinceMs: 55_000 } };
    const observation = observe(5, running('small', 1), { stages: recent });
    expect(decide(context, observation)).toMatchObject({ kind: 'hold' });
    expect(decide({ ...context, policy: restless }, observation)).toMatchObject({ kind: 'apply' });
  });

  it('changes nothing on stale input', () => {
    const decision = decide(context, observe(60, running('large', 1), { staleSources: ['load'] }));
    expect(decision).toMatchObject({ kind: 'hold', reason: 'no fresh input from load' });
  });

  it('applies the best effort and says what binds when nothing meets the SLO', () => {
    const decision = decide(context, observe(500, running('large', 1)));
    expect(decision.kind).toBe('apply');
    expect(decision.kind === 'apply' && decision.reason).toContain('best effort');
  });

  it('plans for the load at the end of its bucket and says which that is', () => {
    const { forecast, load } = decide(context, observe(20, running('small', 1))).evidence;
    expect(load?.arrivalRps).toBeGreaterThanOrEqual(forecast.upperRps);
    expect(load?.arrivalRps).toBeLessThanOrEqual(1.05 * forecast.upperRps);
    const queued = { [stageId('detect')]: { queueLength: 40, droppedTotal: 0 } };
    const behind = decide(context, observe(20, running('small', 1), { stages: queued }));
    expect(behind.evidence.load?.backlog?.requests).toBeGreaterThanOrEqual(40);
  });

  it('plans for less than the end of a bucket where that has a dearer plan, and not for less than is forecast', () => {
    const cheap = { ...context, targetAt: () => ({ objective: { kind: 'min-cost', accuracyFloor: 0.9 } }) as const };
    const loads = Array.from({ length: 40 }, (_, i) => {
      const { forecast, load } = decide(cheap, observe(20 + i / 4, running('large', 1))).evidence;
      expect(load?.arrivalRps).toBeGreaterThanOrEqual(forecast.upperRps * (1 - 1e-8));
      expect(load?.arrivalRps).toBeLessThanOrEqual(forecast.upperRps * 1.05);
      return load?.arrivalRps ?? 0;
    });
    expect(loads.some((arrivalRps) => arrivalRps < rateBucketEnd(arrivalRps) * (1 - 1e-6))).toBe(true);
  });

  it('gives a verdict with every plan, the best efforts and those of the literature included', () => {
    for (const [name, policy] of Object.entries(controlPolicies)) {
      // The three replicas of rim exceed the budget at any load.
      for (const rps of name === 'rim' ? [] : [5, 500]) {
        const { result } = decide({ ...context, policy }, observe(rps, running('small', 1))).evidence;
        const plan = result?.kind === 'feasible' ? result.plan : result?.bestEffort;
        expect(plan?.verified, `${name} at ${rps} rps`).toMatchObject({
          percentile: 99,
          seeds: expect.arrayContaining([expect.any(Number)]),
        });
      }
    }
  });

  it('asks its policy once for the same load, target and running replicas, and answers as if it asked each time', () => {
    let asked = 0;
    const plan: typeof context.policy.plan = (...question) => {
      asked += 1;
      return context.policy.plan(...question);
    };
    const cheap = { objective: { kind: 'min-cost', accuracyFloor: 0.5 } } as const;
    const counting: ControlContext = {
      ...context,
      forecaster: ({ arrivalsPerSecond: [rps = 0] }) => ({ method: 'told', meanRps: rps, upperRps: 1.15 * rps }),
      policy: { ...context.policy, plan },
      targetAt: (atMs) => (atMs < 100_000 ? {} : cheap),
    };
    // Both ends of a bucket are planned; here their plans are equal.
    const ticks: readonly (readonly [Observation, number])[] = [
      [observe(20, running('small', 1)), 2],
      [observe(20.05, running('small', 1)), 2],
      [observe(20, running('small', 2)), 4],
      [observe(40, running('small', 1)), 6],
      [observe(20, running('small', 1), { atMs: 100_000 }), 8],
      [observe(20, running('small', 1)), 8],
    ];
    for (const [observation, expected] of ticks) {
      const decision = decide(counting, observation);
      expect(asked).toBe(expected);
      expect(decide({ ...counting, policy: context.policy }, observation)).toEqual(decision);
    }
  });
});

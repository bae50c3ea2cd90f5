import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Change } from '../model/change.js';
import { replicaId, type StageId, stageId, variantId } from '../model/ids.js';
import type { Plan, StagePlan } from '../model/plan.js';
import type { RunningPlan, RunningReplica, RunningStage } from '../model/running-plan.js';
import { FleetBench, stageA, stageB } from '../serve/fleet/fleet-bench.test-support.js';
import { changeBounds } from '../serve/rollout/headroom.js';
import { diffPlans } from './diff-plans.js';

const unbounded = { budget: {}, control: {} };
const within = (cpuCores: number) => ({ ...unbounded, budget: { cpuCores } });

const stagePlan = (over: Partial<StagePlan> & { readonly cpuCores?: number } = {}): StagePlan => {
  const { cpuCores = 1, ...rest } = over;
  const resources = { cpuCores, memoryBytes: 0, gpus: 0 };
  return {
    variantId: variantId('small'),
    resources,
    maxBatchSize: 1,
    maxBatchWaitMs: 0,
    replicas: 1,
    trafficFraction: 1,
    ...rest,
  };
};

const planWith = (stages: Readonly<Record<string, StagePlan>>): Plan => ({
  stages: Object.fromEntries(Object.entries(stages).map(([id, plan]) => [id, [plan]])),
  predicted: { latencyMs: 0, percentile: 99, pas: 0, capacityRps: 0, cpuCores: 0, costPerHour: 0 },
});

function runningStage(to: StagePlan): RunningStage {
  const { variantId: variant, resources, maxBatchSize, maxBatchWaitMs } = to;
  const replica = (i: number): RunningReplica => ({
    replicaId: replicaId(`r${i}`),
    variantId: variant,
    resources,
    status: 'ready',
  });
  return {
    ...{ replicas: Array.from({ length: to.replicas }, (_, i) => replica(i)), maxBatchSize, maxBatchWaitMs },
    ...(to.threshold !== undefined && { threshold: to.threshold }),
    ...(to.quorum !== undefined && { quorum: to.quorum }),
  };
}

const runningWith = (plan: Plan): RunningPlan => ({
  stages: Object.fromEntries(
    Object.entries(plan.stages).flatMap(([id, [stage]]) => (stage ? [[id, runningStage(stage)]] : [])),
  ),
});

function applied(running: RunningPlan, changes: readonly Change[]): RunningPlan {
  const stages: Record<StageId, RunningStage> = { ...running.stages };
  for (const { kind, stageId: id, to } of changes) {
    const before = stages[id];
    const { maxBatchSize, maxBatchWaitMs, threshold, quorum } = to;
    const isTuned = kind !== 'scale' && kind.startsWith('set-') && kind !== 'set-resources' && before !== undefined;
    stages[id] = isTuned
      ? {
          ...{ ...before, maxBatchSize, maxBatchWaitMs },
          ...(threshold !== undefined && { threshold }),
          ...(quorum !== undefined && { quorum }),
        }
      : runningStage(to);
  }
  return { stages };
}

const anyStage = fc
  .record({
    variantId: fc.constantFrom(variantId('small'), variantId('large')),
    cpuCores: fc.constantFrom(0.5, 1, 2),
    replicas: fc.integer({ min: 1, max: 4 }),
    maxBatchSize: fc.constantFrom(1, 4),
    maxBatchWaitMs: fc.constantFrom(0, 5),
    threshold: fc.constantFrom(0.6, 0.8),
    quorum: fc.constantFrom(2, 3),
  })
  .map(stagePlan);
const anyPlan = fc.record({ a: anyStage, b: anyStage }).map(planWith);

describe('a stage that a plan omits', () => {
  const present = planWith({ a: stagePlan(), b: stagePlan() });
  const omitted = planWith({ a: stagePlan(), b: stagePlan({ replicas: 0 }) });
  const skipping: RunningPlan = {
    stages: {
      [stageA]: runningStage(stagePlan()),
      [stageB]: { ...runningStage(stagePlan({ replicas: 0 })), omitted: true },
    },
  };
  const shown = (changes: readonly Change[]) => changes.map(({ kind, stageId: id }) => `${kind} ${id}`);

  it('is switched off after all growth, and not twice', () => {
    const grown = planWith({ a: stagePlan({ replicas: 3 }), b: stagePlan({ replicas: 0 }) });
    expect(shown(diffPlans(runningWith(present), grown, unbounded))).toEqual(['scale a', 'switch-variant b']);
    expect(diffPlans(skipping, omitted, unbounded)).toEqual([]);
  });

  it('starts only within the headroom: others shrink first', () => {
    const wide = { stages: { ...skipping.stages, [stageA]: runningStage(stagePlan({ replicas: 3 })) } };
    const wanted = planWith({ a: stagePlan(), b: stagePlan({ replicas: 2 }) });
    const bounds = { ...within(3), control: { surgeCpuCores: 0 } };
    expect(shown(diffPlans(wide, wanted, bounds))).toEqual(['scale a', 'switch-variant b']);
  });
});

describe('diffPlans', () => {
  const base = planWith({ a: stagePlan(), b: stagePlan() });

  it.each<[string, Partial<StagePlan> & { cpuCores?: number }, readonly Change['kind'][]]>([
    ['nothing', {}, []],
    ['replicas', { replicas: 2 }, ['scale']],
    ['batching', { maxBatchSize: 4 }, ['set-batch']],
    ['replicas and batching', { replicas: 2, maxBatchSize: 4 }, ['set-batch', 'scale']],
    ['resources and replicas', { cpuCores: 0.5, replicas: 2 }, ['set-resources']],
    ['the variant and all else', { variantId: variantId('large'), replicas: 3, maxBatchSize: 4 }, ['switch-variant']],
  ])('finds a change of %s', (_, over, kinds) => {
    const changes = diffPlans(runningWith(base), planWith({ a: stagePlan(over), b: stagePlan() }), unbounded);
    expect(changes.map(({ kind }) => kind)).toEqual(kinds);
    expect(changes.every(({ stageId: id }) => id === stageId('a'))).toBe(true);
  });

  it.each([
    ['a higher threshold after the stage behind it has grown', 0.8, 3, ['scale b', 'set-threshold a']],
    ['a lower threshold before the stage behind it shrinks', 0.6, 1, ['set-threshold a', 'scale b']],
  ])('sets %s', (_, threshold, replicas, order) => {
    const running = planWith({ a: stagePlan({ threshold: 0.7 }), b: stagePlan({ replicas: 2 }) });
    const wanted = planWith({ a: stagePlan({ threshold, maxBatchSize: 4 }), b: stagePlan({ replicas }) });
    const changes = diffPlans(runningWith(running), wanted, unbounded);
    expect(changes.map(({ kind, stageId: id }) => `${kind} ${id}`)).toEqual(['set-batch a', ...order]);
    // The batching does not bring the threshold forward.
    expect(changes[0]?.to).toMatchObject({ maxBatchSize: 4, threshold: 0.7 });
    expect(changes.find(({ kind }) => kind === 'set-threshold')).toMatchObject({
      fromThreshold: 0.7,
      to: { threshold },
    });
  });

  it.each([
    ['a larger quorum after members have grown', 3, 3, ['scale b', 'set-quorum a']],
    ['a smaller quorum before members shrink', 1, 1, ['set-quorum a', 'scale b']],
  ])('sets %s', (_, quorum, replicas, order) => {
    const running = planWith({ a: stagePlan({ threshold: 0.7, quorum: 2 }), b: stagePlan({ replicas: 2 }) });
    const wanted = planWith({ a: stagePlan({ threshold: 0.9, quorum, maxBatchSize: 4 }), b: stagePlan({ replicas }) });
    const changes = diffPlans(runningWith(running), wanted, unbounded);
    const tuning = changes.filter(({ stageId: id }) => id === stageA);
    expect(tuning.map(({ kind }) => kind)).toEqual(['set-batch', 'set-threshold', 'set-quorum']);
    expect(tuning.map(({ to }) => [to.threshold, to.quorum])).toEqual([
      [0.7, 2],
      [0.9, 2],
      [0.9, quorum],
    ]);
    const shown = changes.map(({ kind, stageId: id }) => `${kind} ${id}`);
    expect(shown.filter((change) => order.includes(change))).toEqual(order);
    expect(changes.find(({ kind }) => kind === 'set-quorum')).toMatchObject({ fromQuorum: 2, to: { quorum } });
  });

  it('puts what takes capacity away behind what adds it', () => {
    const running = runningWith(planWith({ a: stagePlan({ replicas: 3 }), b: stagePlan() }));
    const changes = diffPlans(running, planWith({ a: stagePlan(), b: stagePlan({ replicas: 2 }) }), unbounded);
    expect(changes.map(({ stageId: id }) => id)).toEqual(['b', 'a']);
  });

  it('counts draining and failed replicas as gone', () => {
    const stage = runningStage(stagePlan({ replicas: 2 }));
    const [first, second] = stage.replicas as [RunningReplica, RunningReplica];
    const running = {
      stages: { [stageId('a')]: { ...stage, replicas: [first, { ...second, status: 'failed' as const }] } },
    };
    const changes = diffPlans(running, planWith({ a: stagePlan({ replicas: 2 }) }), unbounded);
    expect(changes).toMatchObject([{ kind: 'scale', fromReplicas: 1 }]);
  });

  it('starts a stage that does not run at all', () => {
    expect(diffPlans({ stages: {} }, base, unbounded)).toMatchObject([
      { kind: 'switch-variant', fromVariantId: undefined },
      { kind: 'switch-variant', fromVariantId: undefined },
    ]);
  });

  it('lets a stage grow once another has given its cores back', () => {
    const running = runningWith(planWith({ a: stagePlan(), b: stagePlan({ replicas: 3 }) }));
    const plan = planWith({ a: stagePlan({ replicas: 3 }), b: stagePlan() });
    const order = (budgetCpuCores: number) =>
      diffPlans(running, plan, within(budgetCpuCores)).map(({ stageId: id }) => id);
    expect([order(5), order(4)]).toEqual([
      ['a', 'b'],
      ['b', 'a'],
    ]);
  });

  it('finds an order that an actuator can follow within budget and default surge (property)', () => {
    fc.assert(
      fc.property(fc.array(anyPlan, { minLength: 2, maxLength: 5 }), (plans) => {
        const cores = ({ stages }: Plan) =>
          Object.values(stages)
            .flat()
            .reduce((sum, { replicas, resources }) => sum + replicas * resources.cpuCores, 0);
        const bench = new FleetBench(changeBounds(within(Math.max(...plans.map(cores)))));
        for (const plan of plans) {
          for (const change of diffPlans(bench.fleet.runningPlan(), plan, within(Math.max(...plans.map(cores))))) {
            expect(bench.applied(change)).toEqual({ kind: 'done' });
          }
          for (const id of [stageA, stageB])
            expect(bench.having('ready', id)).toHaveLength(plan.stages[id]?.[0]?.replicas ?? 0);
        }
      }),
      { seed: 3, numRuns: 500 },
    );
  });

  it('leads from any plan to any other, and finds nothing left to do there (property)', () => {
    fc.assert(
      fc.property(anyPlan, anyPlan, (from, to) => {
        const reached = applied(runningWith(from), diffPlans(runningWith(from), to, unbounded));
        expect(reached).toEqual(runningWith(to));
        expect(diffPlans(reached, to, unbounded)).toEqual([]);
      }),
      { seed: 1 },
    );
  });
});

import { planOfRouters, stageId, usualSplit } from '@equipoise/core/model';
import { afterEach, describe, expect, it } from 'vitest';
import { labelsOf } from '../cluster/object-names.js';
import type { ObservedPod } from '../cluster/observed-objects.js';
import {
  NOW_EPOCH_MS,
  objectsOf,
  planWith,
  shelf,
  wantedBy,
} from '../test-cluster/memory/pipeline-fixture.test-support.js';
import { KEY, LoopRig, routerPod } from './plan-loop.test-support.js';

let rig: LoopRig;

afterEach(() => rig.plans.close());

/** A ready pod of a variant of `detect`, which needed some seconds to start. */
function startedPod(variant: string, startS: number): ObservedPod {
  const at = (second: number): string => new Date(NOW_EPOCH_MS + 1000 * (second - 60)).toISOString();
  const { metadata, status, ...rest } = routerPod('router-1');
  const labels = labelsOf('shelf', { kind: 'stage', stage: 'detect', variant });
  const conditions = [
    { type: 'PodScheduled', status: 'True', lastTransitionTime: at(0) },
    { type: 'Ready', status: 'True', lastTransitionTime: at(startS) },
  ];
  return {
    ...rest,
    metadata: { ...metadata, name: variant, uid: variant, labels },
    status: { ...status, conditions },
  };
}

async function planned() {
  const answer = await rig.pass();
  if (answer.kind !== 'plan') throw new Error(`no plan: ${JSON.stringify(answer)}`);
  return answer;
}

const annotated = (arrivalRps: string) => ({ annotations: { 'equipoise.dev/arrival-rps': arrivalRps } });

/** Starts with a router that was already running. */
async function started(over: ConstructorParameters<typeof LoopRig>[0] = {}, rps = 20): Promise<void> {
  rig = new LoopRig(over);
  rig.pods = [routerPod('router-1')];
  rig.rps = rps;
  await rig.pass();
}

// Many plans are made, each verified by simulation.
describe('the plans of a pipeline', { timeout: 60_000 }, () => {
  it('begin with one for the load that the pipeline names, before there is a router', async () => {
    rig = new LoopRig({ metadata: annotated('50') });
    expect(await rig.pass()).toMatchObject({ kind: 'unplanned', reason: 'Pending' });
    await rig.seconds(1);
    expect(rig.told).toContain(KEY);
    expect(rig.news).toContain('plan');
    const first = await planned();
    expect(first).toMatchObject({ arrivalRps: 50 });
    expect(first.plan.predicted.capacityRps).toBeGreaterThan(50);
    // Without a router the load is unknown, and nothing is decided.
    await rig.seconds(60);
    expect(await rig.pass()).toBe(first);
    expect(rig.decisions).toEqual([]);

    rig.pipeline = { ...rig.pipeline, metadata: { ...rig.pipeline.metadata, ...annotated('150') } };
    await rig.seconds(1);
    expect(await planned()).toMatchObject({ arrivalRps: 150 });
  });

  it('count the network time that a mesh measures', async () => {
    await started({}, 20);
    rig.pods = [{ ...routerPod('router-1'), spec: { containers: [{ name: 'istio-proxy' }] } }];
    await rig.seconds(31);
    const near = await planned();
    rig.networkMs = { detect: 60 };
    await rig.seconds(60);
    const far = await planned();
    expect(rig.situation.observed?.networkMs).toEqual({ detect: 60 });
    expect(far.plan.stages).not.toEqual(near.plan.stages);
    expect(rig.planners.map(({ spec }) => spec.stages.map(({ networkMs }) => networkMs))).toEqual([[60, undefined]]);
  });

  it('follow the load of a router that runs already', async () => {
    await started({}, 10);
    expect(await rig.pass()).toMatchObject({ kind: 'unplanned', reason: 'Pending' });
    await rig.seconds(15);
    const calm = await planned();
    expect(calm.arrivalRps).toBeGreaterThan(10);
    rig.rps = 60;
    await rig.seconds(15);
    const busy = await planned();
    expect(busy.plan.predicted.capacityRps).toBeGreaterThan(calm.plan.predicted.capacityRps);
    expect(busy.arrivalRps).toBeGreaterThan(60);
    rig.rps = 10;
    await rig.seconds(120);
    expect((await planned()).plan.predicted.capacityRps).toBeLessThan(busy.plan.predicted.capacityRps);
  });

  it('are those of the router with the most load, for the load of all', async () => {
    await started({ routers: 2 }, 30);
    rig.pods = [routerPod('router-1'), routerPod('router-2', { router: 1 })];
    await rig.seconds(30);
    const half = await planned();
    expect(half.split).toMatchObject({ count: 2 });
    expect(half.arrivalRps).toBeGreaterThan(60);
    // Each is planned for 60 % of the load.
    expect(half.plan.predicted.capacityRps).toBeGreaterThan(0.6 * 60);
    const { arrivalsPerSecond } = rig.planners[0]?.observations.at(-1)?.load ?? { arrivalsPerSecond: [] };
    expect(arrivalsPerSecond.slice(-10).reduce((sum, each) => sum + each, 0)).toBeCloseTo(0.6 * 600, -1);

    const status = {
      plan: planOfRouters(half.plan, usualSplit(2)),
      plannedAt: '2026-06-01T12:00:00Z',
      plannedForRps: half.arrivalRps,
    };
    const kept = new LoopRig({ routers: 2, metadata: { generation: 1 }, status: { ...status, observedGeneration: 1 } });
    kept.pods = rig.pods;
    expect(await kept.pass()).toMatchObject({ kind: 'plan', plan: { stages: half.plan.stages }, split: { count: 2 } });
    await kept.plans.close();
    // The number changed while no operator ran, so another plan is made.
    const other = new LoopRig({
      routers: 3,
      metadata: { generation: 1 },
      status: { ...status, observedGeneration: 1 },
    });
    other.pods = rig.pods;
    expect(await other.pass()).toMatchObject({ kind: 'unplanned', reason: 'Pending' });
    await other.plans.close();
  });

  it('are made again when the number of routers changes', async () => {
    await started({}, 30);
    await rig.seconds(20);
    expect((await planned()).split).toBeUndefined();
    rig.pipeline = { ...rig.pipeline, spec: { ...(rig.pipeline.spec as object), routers: 3 } };
    await rig.seconds(2);
    expect((await planned()).split).toMatchObject({ count: 3 });
  });

  it('are the same answer while the load is steady, so that nothing is rendered anew', async () => {
    await started({}, 10);
    await rig.seconds(180);
    const settled = await planned();
    await rig.seconds(60);
    expect(await rig.pass()).toBe(settled);
  });

  it('lose no replica while the SLO is missed', async () => {
    await started({}, 60);
    await rig.seconds(30);
    const busy = await planned();
    rig.lateFraction = 0.6;
    rig.rps = 10;
    await rig.seconds(120);
    expect(await rig.pass()).toBe(busy);
    expect(rig.decisions.map(({ reason }) => reason).join()).toContain('missed the SLO: replicas are only added');
    rig.lateFraction = 0;
    await rig.seconds(120);
    expect((await planned()).plan.predicted.capacityRps).toBeLessThan(busy.plan.predicted.capacityRps);
  });

  it('are for measured service times, and say if the profile is off', async () => {
    await started({}, 20);
    rig.serviceMs = { small: 12, large: 36 };
    await rig.seconds(30);
    expect(rig.situation.issue).toBeUndefined();
    const { batches = [] } = rig.planners[0]?.observations.at(-1) ?? {};
    const [detect] = (await planned()).plan.stages[stageId('detect')] ?? [];
    expect(batches).toEqual([
      expect.objectContaining({ stageId: 'detect', variantId: detect?.variantId, batchSize: 1, areMeans: true }),
    ]);
    expect(batches[0]?.serviceMs.length).toBe(20);
    rig.serviceMs = { small: 50, large: 150 };
    await rig.seconds(60);
    expect(rig.situation.issue).toMatchObject({ reason: 'ProfileOff' });
    expect(rig.situation.issue?.message).toMatch(
      /^detect\/\w+: batches take \d+ ms, \d(\.\d)? times the \d+ ms of the profile/,
    );
    rig.serviceMs = { small: 10, large: 30 };
    await rig.seconds(180);
    expect(rig.situation.issue).toBeUndefined();
  });

  it('answer a burst before the next plan is due', async () => {
    await started();
    await rig.seconds(31);
    const calm = await planned();
    rig.rps = 200;
    await rig.seconds(3);
    const burst = await planned();
    expect(rig.decisions.at(-1)?.evidence.forecast.method).toBe('burst');
    // The calm plan may have spare replicas, so cores need not grow, but the provisioned rate must.
    expect(burst.arrivalRps).toBeGreaterThan(200);
    expect(calm.arrivalRps).toBeLessThan(50);
    expect(burst.plan.predicted.capacityRps).toBeGreaterThan(burst.arrivalRps);
  });

  it('look as far ahead as the pods of stages need to start', async () => {
    const plannedRps = async (startS: number): Promise<number> => {
      await started({}, 20);
      const pods = (['small', 'large'] as const).map((name) => startedPod(name, startS));
      rig.pods = [routerPod('router-1'), ...pods];
      await rig.seconds(31);
      for (let second = 0; second < 30; second++) {
        rig.rps += 2;
        await rig.seconds(1);
      }
      return (await planned()).arrivalRps;
    };
    const soon = await plannedRps(0);
    await rig.plans.close();
    // 20 s more of a rise by 2 requests per second and second.
    expect(await plannedRps(20)).toBeGreaterThan(soon + 30);
  });

  it('stay where a router cannot be reached, which is said, and go on when it can', async () => {
    await started({}, 100);
    await rig.seconds(30);
    const good = await planned();
    rig.isReachable = false;
    rig.rps = 1;
    await rig.seconds(60);
    expect(await rig.pass()).toBe(good);
    expect(rig.situation).toEqual({
      staleMs: 55_000,
      issue: {
        reason: 'RouterUnreachable',
        message: 'No fresh metrics of the router router-1: connection refused. The last plan is kept.',
      },
    });
    expect(rig.decisions.at(-1)).toMatchObject({
      kind: 'hold',
      reason: 'no fresh input from router router-1: connection refused',
    });
    rig.isReachable = true;
    await rig.seconds(2);
    expect(rig.situation.issue).toBeUndefined();
    await rig.seconds(240);
    expect((await planned()).plan.predicted.cpuCores).toBeLessThan(good.plan.predicted.cpuCores);
  });

  it('stay where one of two routers is silent, and wait for none that is not ready or on its way out', async () => {
    await started({}, 100);
    await rig.seconds(20);
    rig.pods = [routerPod('router-1'), routerPod('router-2', { ready: false, ip: 'elsewhere' })];
    await rig.seconds(10);
    expect(rig.situation.issue).toBeUndefined();
    rig.pods = [routerPod('router-1'), routerPod('router-2', { ip: 'elsewhere' })];
    await rig.seconds(10);
    expect(rig.situation.issue?.message).toContain('router-2: nothing is at http://elsewhere:8080/metrics');
    const leaving = routerPod('router-2', { ip: 'elsewhere' });
    const deleted = { ...leaving.metadata, deletionTimestamp: '2026-06-01T12:00:00Z' };
    rig.pods = [routerPod('router-1'), { ...leaving, metadata: deleted }];
    await rig.seconds(2);
    expect(rig.situation.issue).toBeUndefined();
  });

  it('are made once an interval by a policy that answers no bursts', async () => {
    rig = new LoopRig({}, 'static-cheapest');
    rig.pods = [routerPod('router-1')];
    rig.rps = 20;
    await rig.pass();
    await rig.seconds(65);
    const [{ observations, spec } = { observations: [], spec: undefined }] = rig.planners;
    const pausesMs = observations.slice(1).map(({ atMs }, index) => atMs - (observations[index]?.atMs ?? 0));
    expect(pausesMs.length).toBeGreaterThan(3);
    expect(Math.min(...pausesMs)).toBeGreaterThanOrEqual(spec?.control.intervalMs ?? Number.NaN);
    expect(rig.decisions).toHaveLength(observations.length);
  });

  it('stay when the last router is gone', async () => {
    await started({}, 100);
    await rig.seconds(30);
    const good = await planned();
    rig.pods = [];
    await rig.seconds(120);
    expect(await rig.pass()).toBe(good);
  });

  it('stay where planning fails, which is said', async () => {
    await started({}, 100);
    await rig.seconds(30);
    const good = await planned();
    const [planner] = rig.planners;
    if (planner === undefined) throw new Error('there is a planner');
    planner.failure = new Error('the planning thread has ended');
    rig.rps = 10;
    await rig.seconds(30);
    expect(await rig.pass()).toBe(good);
    expect(rig.situation.issue).toEqual({ reason: 'PlanningFailed', message: 'the planning thread has ended' });
    planner.failure = undefined;
    await rig.seconds(5);
    expect(rig.situation.issue).toBeUndefined();
  });

  it('are tried again where the first one fails, before there is a router', async () => {
    rig = new LoopRig({ metadata: annotated('50') });
    rig.failure = new Error('the planning thread has ended');
    await rig.pass();
    await rig.seconds(20);
    expect(await rig.pass()).toMatchObject({ kind: 'unplanned', reason: 'Failed' });
    const [planner] = rig.planners;
    if (planner === undefined) throw new Error('there is a planner');
    planner.failure = undefined;
    await rig.seconds(15);
    expect(await planned()).toMatchObject({ arrivalRps: 50 });
    expect(rig.situation.issue).toBeUndefined();
  });

  it('follow the series of an engine once the pipeline names it, and a pipeline that is created again', async () => {
    await started({}, 20);
    await rig.seconds(2);
    const sources = () => rig.plans.followed(KEY)?.signals.map(({ source }) => source);
    expect(sources()).toEqual(['router router-1']);
    const annotations = { 'equipoise.dev/target': 'kserve:theirs' };
    rig.pipeline = { ...rig.pipeline, metadata: { ...rig.pipeline.metadata, annotations } };
    await rig.pass();
    expect(sources()).toEqual(['series of shelf']);
    const before = rig.plans.followed(KEY)?.history;
    await rig.pass();
    expect(rig.plans.followed(KEY)?.history).toBe(before);
    rig.pipeline = { ...rig.pipeline, metadata: { ...rig.pipeline.metadata, uid: 'uid-again' } };
    await rig.pass();
    expect(rig.plans.followed(KEY)?.history).not.toBe(before);
  });

  it('show what comes in to a tick that is under way, and begin no other', async () => {
    await started({}, 100);
    await rig.seconds(5);
    const [planner] = rig.planners;
    if (planner === undefined) throw new Error('there is a planner');
    planner.isHeld = true;
    await rig.seconds(2);
    const count = planner.observations.length;
    await rig.seconds(5);
    expect(planner.observations.length).toBe(count);
    expect(planner.shown.length).toBeGreaterThanOrEqual(4);
    planner.release();
    await rig.seconds(3);
    expect(planner.observations.length).toBeGreaterThan(count);
  });

  it.each([
    ['of what is asked now', false, 'PlanningFailed'],
    ['of what was asked before the spec changed', true, undefined],
  ])('tell of a tick that fails only %s', async (_, isChanged, reason) => {
    await started({}, 100);
    await rig.seconds(5);
    const [planner] = rig.planners;
    if (planner === undefined) throw new Error('there is a planner');
    planner.isHeld = true;
    await rig.seconds(2);
    if (isChanged) {
      rig.pipeline = shelf({ budgetCpuCores: 15, metadata: { generation: 4 } });
      await rig.pass();
    }
    planner.release(new Error('the thread was started anew'));
    await rig.seconds(1);
    expect(rig.situation.issue?.reason).toBe(reason);
  });

  it('go on with the plan of the status after a restart, for the load that it was made for', async () => {
    const plan = planWith('large', 3);
    const status = { observedGeneration: 3, plan, plannedAt: '2026-06-01T11:00:00Z', plannedForRps: 42 };
    rig = new LoopRig({ status });
    const kept = await planned();
    expect(kept).toEqual({
      ...{ kind: 'plan', plan, profiles: [], arrivalRps: 42 },
      plannedAtEpochMs: Date.UTC(2026, 5, 1, 11),
    });
    await rig.seconds(30);
    expect(await rig.pass()).toBe(kept);
  });

  it('say that they are those of an earlier spec until the next decision', async () => {
    await started({}, 10);
    await rig.seconds(20);
    await planned();
    expect(rig.situation.isReplanning).toBeUndefined();
    const spec = { ...(rig.pipeline.spec as object), slo: { latencyMs: 250, percentile: 99 } };
    rig.pipeline = { ...rig.pipeline, spec };
    await rig.pass();
    expect(rig.situation.isReplanning).toBe(true);
    rig.news.splice(0);
    await rig.seconds(12);
    expect(rig.situation.isReplanning).toBeUndefined();
    expect(rig.news.length).toBeGreaterThan(0);
  });

  it.each([
    ['of a variant that is gone', { plan: planWith('huge', 1) }],
    ['beyond the budget', { plan: planWith('large', 30) }],
    ['of another description', { observedGeneration: 2 }],
  ])('take no plan of the status %s', async (_name, over) => {
    const plan = planWith('small', 3);
    rig = new LoopRig({
      status: { observedGeneration: 3, plan, plannedAt: '2026-06-01T11:00:00Z', plannedForRps: 42, ...over },
    });
    expect(await rig.pass()).toMatchObject({ kind: 'unplanned', reason: 'Pending' });
    await rig.seconds(1);
    expect((await planned()).arrivalRps).toBe(1);
  });

  it('are none where a variant has no profile, and are made once it has one', async () => {
    rig = new LoopRig();
    const { spec } = rig.pipeline;
    const without = structuredClone(spec) as { stages: { module?: string; variants: { profile?: unknown }[] }[] };
    delete without.stages[0]?.variants[1]?.profile;
    Object.assign(without.stages[0] ?? {}, { module: './detect.js' });
    rig.pipeline = { ...rig.pipeline, spec: without };
    expect(await rig.pass()).toMatchObject({
      kind: 'unplanned',
      reason: 'ProfilesMissing',
      message: expect.stringMatching(/large.* On a cluster the profile stands in the spec of the pipeline/s),
    });
    await rig.seconds(3);
    rig.pipeline = { ...rig.pipeline, spec };
    await rig.pass();
    await rig.seconds(1);
    await planned();
  });

  it('say so where nothing is feasible', async () => {
    rig = new LoopRig({ metadata: annotated('100000') });
    await rig.pass();
    await rig.seconds(1);
    expect(await planned()).toMatchObject({
      shortfall: expect.stringMatching(
        /^No plan meets the SLO at 100000 requests per second: the (budget|allowed replicas|latency target) .+\.$/,
      ),
    });
  });

  it('advise beside what the router is configured for', async () => {
    rig = new LoopRig({ mode: 'advise' });
    const runs = objectsOf(
      await wantedBy(
        { ...rig.pipeline, spec: { ...(rig.pipeline.spec as object), control: { mode: 'auto' } } },
        planWith('small', 4),
      ),
    );
    rig.children = [...runs];
    rig.pods = [routerPod('router-1')];
    rig.rps = 20;
    await rig.pass();
    await rig.seconds(25);
    const observed = rig.planners[0]?.observations.at(-1);
    expect(Object.values(observed?.runningPlan.stages ?? {}).map(({ replicas }) => replicas.length)).toEqual([4, 1]);
    expect((await planned()).plan.stages).not.toEqual(planWith('small', 4).stages);
    expect(rig.situation.observed).toMatchObject({ cpuCores: 5 });
  });

  it('decide nothing in the mode off, and still tell what is observed', async () => {
    await started({ mode: 'off' }, 40);
    await rig.seconds(30);
    expect(rig.decisions).toEqual([]);
    expect(rig.situation.observed).toMatchObject({ arrivalRps: 40, sloAttainmentFraction: 1 });
  });

  it('tell at once when the SLO begins to be missed, and figures only now and then', async () => {
    await started({}, 100);
    await rig.seconds(70);
    expect(rig.situation.observed).toMatchObject({ arrivalRps: 100, percentile: 99, sloAttainmentFraction: 1 });
    rig.told.length = 0;
    rig.news.length = 0;
    rig.lateFraction = 0.5;
    await rig.seconds(4);
    expect(rig.situation.observed?.sloAttainmentFraction).toBeLessThan(0.99);
    expect(rig.told.length).toBeGreaterThan(0);
    expect(rig.news).toContain('signals');
    rig.told.length = 0;
    await rig.seconds(30);
    // Each second adds late requests to the window.
    expect(rig.told.length).toBeLessThanOrEqual(3);
  });

  it('follow nothing any more once the pipeline is gone', async () => {
    await started();
    await rig.seconds(3);
    expect(rig.plans.count).toBe(1);
    rig.plans.forget(KEY);
    await rig.clock.advanceTo(rig.clock.nowMs() + 60_000);
    expect([rig.plans.count, rig.clock.pendingAlarms]).toEqual([0, 0]);
    expect(rig.situation).toEqual({});
  });
});

import { type Observation, type PlanResult, stageId, variantId } from '@equipoise/core/model';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { Planner, PlanPreempted } from './planner.js';
import { PlannerPool } from './planner-pool.js';
import { onePlanTask as planTask, onePipelineSetup as setup } from './planning-setup.test-support.js';

const { spec } = setup;
const planners: Planner[] = [];

function planner(over: Partial<typeof setup> = {}, answerLimitMs?: number): Planner {
  const made = new Planner(
    { ...setup, ...over },
    new PlannerPool(answerLimitMs === undefined ? {} : { answerLimitMs }),
  );
  planners.push(made);
  return made;
}

describe('Planner', () => {
  afterEach(async () => {
    await Promise.all(planners.splice(0).map((each) => each.close()));
  });

  it('plans and decides in its thread', async () => {
    const one = planner();
    const observation: Observation = {
      atMs: 0,
      load: { arrivalsPerSecond: new Array<number>(30).fill(20) },
      stages: {},
      runningPlan: { stages: {} },
      staleSources: [],
    };
    const [result, answer] = await Promise.all([
      one.ask(planTask),
      one.ask({ kind: 'tick', observation, executes: true, changedByHand: false }),
    ]);
    expect(result).toMatchObject({ kind: 'feasible', plan: { verified: { conclusive: true } } });
    expect(answer).toMatchObject({
      decision: { kind: 'apply', changes: [{ kind: 'switch-variant' }] },
      trigger: 'plan',
      input: { corrections: [], state: { appliedAtMs: [] } },
    });
  });

  it.each([
    [true, [10_000]],
    [false, []],
  ])('counts what it decides as a change where that is carried out: %s', async (executes, appliedAtMs) => {
    const one = planner();
    const at = (atMs: number) => ({
      ...({ kind: 'tick', executes, changedByHand: false } as const),
      observation: {
        ...{ atMs, stages: {}, runningPlan: { stages: {} }, staleSources: [] },
        load: { arrivalsPerSecond: new Array<number>(30).fill(20) },
      },
    });
    const [first, second] = [await one.ask(at(10_000)), await one.ask(at(20_000))];
    expect([first.decision?.kind, second.decision?.kind]).toEqual(['apply', 'apply']);
    expect(second.input?.state.appliedAtMs).toEqual(appliedAtMs);
  });

  it('answers a burst that is shown while it plans, and plans at the next tick', async () => {
    const one = planner();
    const tickAt = (atMs: number, lastRps: number) => ({
      ...({ kind: 'tick', executes: true, changedByHand: false } as const),
      observation: {
        ...{ atMs, stages: {}, runningPlan: { stages: {} }, staleSources: [] },
        load: { arrivalsPerSecond: [...new Array<number>(30).fill(20), lastRps] },
      },
    });
    await one.ask(tickAt(10_000, 20));
    const burst = tickAt(20_500, 90).observation;
    one.show(burst);
    const answer = await one.ask(tickAt(20_000, 35));
    expect(answer).toMatchObject({ trigger: 'burst', observation: burst, decision: { evidence: { burst: {} } } });
    const next = await one.ask(tickAt(20_750, 20));
    expect(next).toMatchObject({ trigger: 'plan' });
    expect(next).not.toHaveProperty('observation');
  });

  it('leaves what was shown while a tick was answered behind with it', async () => {
    const one = planner();
    const observationAt = (atMs: number, lastRps: number): Observation => ({
      ...{ atMs, stages: {}, runningPlan: { stages: {} }, staleSources: [] },
      load: { arrivalsPerSecond: [...new Array<number>(30).fill(20), lastRps] },
    });
    const tickAt = (atMs: number, lastRps: number) =>
      one.ask({ kind: 'tick', observation: observationAt(atMs, lastRps), executes: true, changedByHand: false });
    await tickAt(10_000, 20);
    one.show(observationAt(20_500, 90));
    expect(await tickAt(12_000, 20)).toEqual({});
    expect(await tickAt(20_000, 35)).toMatchObject({ trigger: 'plan' });
  });

  it('goes on in a new thread with what was worth keeping of the one before', async () => {
    const one = planner();
    const correction = { stageId: stageId('a'), variantId: variantId('v'), cpuCores: 1, batchSize: 1, factor: 1.5 };
    const kept = { service: { measured: [], corrections: [correction] } };
    await one.ask({ kind: 'resume', kept });
    one.remember(await one.ask({ kind: 'keep' }));
    await one.close();
    expect(await one.ask({ kind: 'keep' })).toEqual(kept);
  });

  it('answers what would be of another pipeline than the one that it serves', async () => {
    const one = planner();
    const [as, pinned, tight] = await Promise.all([
      one.ask(planTask),
      one.ask({ ...planTask, assuming: { pins: { [stageId('a')]: { replicas: 2 } } } }),
      one.ask({ ...planTask, assuming: { sloLatencyMs: 5 } }),
    ]);
    const replicasOf = (result: PlanResult) =>
      result.kind === 'feasible' ? result.plan.stages[stageId('a')]?.[0]?.replicas : undefined;
    expect([replicasOf(as), replicasOf(pinned), tight.kind]).toEqual([1, 2, 'infeasible']);
    expect(replicasOf(await one.ask(planTask))).toBe(1);
  });

  it('gives the same answers to the same questions, whatever it was asked before', async () => {
    const [one, other] = [planner(), planner()];
    const ask = (of: Planner, arrivalRps: number) => of.ask({ ...planTask, arrivalRps });
    const verdictOf = (result: PlanResult) => (result.kind === 'feasible' ? result.plan : result.bestEffort)?.verified;
    const forth = [await ask(one, 20), await ask(one, 25), await ask(one, 20)].map(verdictOf);
    const back = [await ask(other, 25), await ask(other, 20)].map(verdictOf);
    expect(forth).toEqual([back[1], back[0], back[1]]);
  });

  it('tells why its thread could not start, and starts a new one for the next question', async () => {
    const noProfile = spec.stages.map((stage) => ({
      ...stage,
      variants: stage.variants.map(({ profile: _, ...variant }) => variant),
    }));
    const broken = planner({ spec: { ...spec, stages: noProfile } });
    await expect(broken.ask(planTask)).rejects.toMatchObject({
      ...{ code: 'PROFILE_MISSING', message: expect.stringContaining('has no profile') },
    });
    await expect(broken.ask(planTask)).rejects.toThrow('has no profile');
  });

  it('gives up a thread that does not answer in time', async () => {
    const stuck = planner({}, 1);
    const asked = [stuck.ask(planTask), stuck.ask(planTask)];
    const refused = await Promise.allSettled(asked);
    const reason = { message: expect.stringMatching(/^the planner worker made no progress within .* report the file/) };
    expect(refused).toMatchObject([
      { status: 'rejected', reason },
      { status: 'rejected', reason },
    ]);
    await expect(stuck.ask(planTask)).rejects.toThrow('made no progress');
  });

  it('passes over an answer that comes when the question has been given up, and goes on', async () => {
    let cpuMs = 0;
    const one = new Planner(setup, new PlannerPool({ cpuTimeMs: () => cpuMs }));
    planners.push(one);
    await one.ask(planTask);
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
    const given = expect(one.ask({ kind: 'keep' })).rejects.toThrow('made no progress');
    // The thread answers while this one is blocked, so the limit passes before the answer is read.
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 2000);
    cpuMs = 120_000;
    vi.advanceTimersByTime(1000);
    vi.useRealTimers();
    await given;
    expect(await one.ask(planTask)).toMatchObject({ kind: 'feasible' });
  });

  it('is preempted at once while it plans for fifty stages, and plans again', { timeout: 60_000 }, async () => {
    const names = Array.from({ length: 50 }, (_, i) => stageId(`s${i}`));
    const [only] = spec.stages;
    const stages = names.map((id) => ({ ...only, id })) as unknown as typeof spec.stages;
    const edges = names.slice(1).map((to, i) => ({ from: names[i] as typeof to, to }));
    const chain = {
      ...spec,
      stages,
      edges,
      slo: { latencyMs: 20_000, percentile: 99 },
      sources: [{ name: 'input', to: names.slice(0, 1), tensors: [] }],
      outputs: names.slice(-1).map((from) => ({ from })),
      budget: { cpuCores: 200 },
    };
    const one = planner({ spec: chain, hostCores: 200 });
    await one.ask({ kind: 'keep' });
    const asked = one.ask(planTask);
    const rejected = expect(asked).rejects.toBeInstanceOf(PlanPreempted);
    await new Promise((resolve) => setTimeout(resolve, 50));
    const atMs = performance.now();
    one.preempt();
    await rejected;
    expect(performance.now() - atMs).toBeLessThan(1000);
    expect(await one.ask({ kind: 'keep' })).toMatchObject({ service: { corrections: [] } });
  });

  it('rejects what waits when it is closed', async () => {
    const one = planner();
    const answer = one.ask(planTask);
    const rejected = expect(answer).rejects.toThrow('the planner worker has ended');
    await one.close();
    await rejected;
  });
});

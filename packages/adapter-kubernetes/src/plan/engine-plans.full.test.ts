import { afterEach, describe, expect, it } from 'vitest';
import { LoopRig } from './plan-loop.test-support.js';

let rig: LoopRig;

afterEach(() => rig.plans.close());

async function planned() {
  const answer = await rig.pass();
  if (answer.kind !== 'plan') throw new Error(`no plan: ${JSON.stringify(answer)}`);
  return answer;
}

async function started(rps: number): Promise<void> {
  const annotations = { 'equipoise.dev/target': 'kserve:theirs', 'equipoise.dev/arrival-rps': String(rps) };
  rig = new LoopRig({ metadata: { annotations } });
  rig.rps = rps;
  await rig.pass();
  await rig.seconds(30);
}

// Many plans are made, each verified by simulation.
describe('the plans of a pipeline whose graph an engine walks', { timeout: 60_000 }, () => {
  it('follow the load of its series, without a router', async () => {
    await started(10);
    const calm = await planned();
    rig.rps = 60;
    await rig.seconds(30);
    const busy = await planned();
    expect(busy.plan.predicted.capacityRps).toBeGreaterThan(calm.plan.predicted.capacityRps);
    expect(busy.arrivalRps).toBeGreaterThan(60);
    expect(rig.situation.observed).toMatchObject({ sloAttainmentFraction: 1 });
  });

  it('follow a load of 5, 50 and 5 rps, with a decision every ten seconds', async () => {
    await started(5);
    const capacities: number[] = [];
    for (const [rps, seconds] of [
      [5, 20],
      [50, 40],
      [5, 150],
    ] as const) {
      rig.rps = rps;
      const before = rig.decisions.length;
      await rig.seconds(seconds);
      expect(rig.decisions.length - before).toBeGreaterThanOrEqual(Math.floor(seconds / 10) - 1);
      capacities.push((await planned()).plan.predicted.capacityRps);
    }
    const [calm = 0, busy = 0, calmAgain = 0] = capacities;
    expect(busy).toBeGreaterThan(50);
    expect(calm).toBeLessThan(busy);
    expect(calmAgain).toBeLessThan(busy);
  });

  it('stay while the series stop, and the status says which and since when', async () => {
    await started(30);
    const before = await planned();
    rig.isReachable = false;
    await rig.seconds(45);
    expect(await planned()).toBe(before);
    expect(rig.situation.issue?.reason).toBe('MetricsMissing');
    expect(rig.situation.issue?.message).toMatch(/^No fresh series of shelf since 2026-\S+Z: connection refused/);
    rig.isReachable = true;
    await rig.seconds(10);
    expect(rig.situation.issue).toBeUndefined();
  });
});

/** Routers of one machine in one process, with synthetic replicas: shares, plans and a lead that ends. */
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import type { PipelineSpec, Plan } from '@equipoise/core/model';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { syntheticPipeline, TestFolder } from '../equipoise.test-support.js';
import { loadSpec } from './load-spec.js';
import { heldBy, RouterGroup } from './router-group.js';
import { type RunningPipeline, startPipeline } from './start-pipeline.js';

const folder = new TestFolder();
const started: Router[] = [];
let spec: PipelineSpec;

interface Router {
  readonly group: RouterGroup;
  readonly pipeline: RunningPipeline;
}

async function router(routers = 2): Promise<Router> {
  const group = new RouterGroup({ routers, spec, exchangeMs: 20, goneMs: 100 });
  const pipeline = await startPipeline({
    ...{ spec, profiles: [], arrivalRps: 2, policy: 'equipoise', fixed: false, resume: false, routers: group },
    report: () => undefined,
  });
  const own = { group, pipeline };
  started.push(own);
  return own;
}

async function until(isTrue: () => boolean): Promise<void> {
  while (!isTrue()) await setTimeout(20);
}

const end = async (router: Router) => {
  started.splice(started.indexOf(router), 1);
  await router.pipeline.close();
};

const replicasOf = ({ pipeline }: Router) =>
  Object.values(pipeline.actuator.runningPlan().stages).map(({ replicas }) => replicas.length);

const part = (variantId: string, replicas: number) => ({
  ...{ variantId, resources: { cpuCores: 1 }, maxBatchSize: 1, maxBatchWaitMs: 0, replicas, trafficFraction: 1 },
});
const stagesOf = (detect: number) =>
  ({ detect: [part('large', detect)], classify: [part('only', 1)] }) as never as Plan['stages'];

beforeAll(async () => {
  folder.write(
    'pipeline.yaml',
    syntheticPipeline({ cpuCores: 8, spec: 'control: { intervalMs: 600000, fastIntervalMs: 600000, canary: false }' }),
  );
  spec = await loadSpec(join(folder.path, 'pipeline.yaml'));
});

afterEach(async () => {
  for (const each of started.splice(0)) await each.pipeline.close();
});

afterAll(() => folder.remove());

describe('routers of one machine', () => {
  it('are no more than the bounds of each stage allow', async () => {
    const detect = 'bounds: { replicas: { min: 1, max: 2 } }';
    folder.write('bounded.yaml', syntheticPipeline({ cpuCores: 8, detect }));
    const bounded = await loadSpec(join(folder.path, 'bounded.yaml'));
    expect(() => new RouterGroup({ routers: 3, spec: bounded })).toThrow(/multiple of 3 replicas of detect/);
    expect(new RouterGroup({ routers: 2, spec: bounded }).count).toBe(2);
  });

  it('divide the budget, serve the plan of the lead, and have another lead if it ends', async () => {
    const lead = await router();
    expect([lead.group.leads, lead.pipeline.spec.budget.cpuCores]).toEqual([true, 4]);
    const follower = await router();
    expect([follower.group.leads, follower.pipeline.spec.budget.cpuCores]).toEqual([false, 4]);
    expect(replicasOf(follower)).toEqual(replicasOf(lead));
    expect(follower.pipeline.control.status).toMatchObject({ mode: 'off', fixed: true, follows: true });

    await lead.pipeline.control.applyStages(stagesOf(3));
    await until(() => replicasOf(follower).join() === '3,1');
    expect(heldBy(lead.pipeline.actuator) + heldBy(follower.pipeline.actuator)).toBe(8);
    expect(() => follower.pipeline.control.pause()).toThrow(/another router of this machine leads/);
    await expect(follower.pipeline.control.applyStages(stagesOf(1))).rejects.toThrow(/another router/);
    await expect(lead.pipeline.control.applyStages(stagesOf(4))).rejects.toThrow(/budget/);

    await end(lead);
    await until(() => follower.group.leads);
    await until(() => follower.pipeline.control.mode !== 'off');
    expect(replicasOf(follower)).toEqual([3, 1]);
    const again = await router();
    expect([again.group.leads, replicasOf(again)]).toEqual([false, [3, 1]]);
  }, 60_000);

  it('give the cores of a router that is gone to the others', async () => {
    const lead = await router();
    const follower = await router();
    await end(follower);
    await until(() => lead.pipeline.spec.budget.cpuCores === 8);
    await lead.pipeline.control.applyStages(stagesOf(6));
    const waits = router();
    await until(() => lead.pipeline.spec.budget.cpuCores === 4);
    // The newcomer gets its share when the lead has left its larger plan.
    expect(replicasOf(lead)).toEqual([6, 1]);
    await lead.pipeline.control.applyStages(stagesOf(2));
    expect(replicasOf(await waits)).toEqual([2, 1]);
  }, 60_000);

  it('need a budget that can be divided', () => {
    expect(() => new RouterGroup({ routers: 2, spec: { ...spec, budget: {} } })).toThrow(/spec\.budget\.cpuCores/);
  });
});

import { afterEach, expect, it } from 'vitest';
import { LoopRig, routerPod } from './plan-loop.test-support.js';

let rig: LoopRig;

afterEach(() => rig.plans.close());

async function split() {
  const answer = await rig.pass();
  if (answer.kind !== 'plan') throw new Error(`no plan: ${JSON.stringify(answer)}`);
  return answer.split;
}

// Plans for thousands of requests per second are verified by simulation.
it('`auto` gives a pipeline as many routers as the load needs', { timeout: 120_000 }, async () => {
  rig = new LoopRig({ routers: 'auto', budgetCpuCores: 2000 });
  rig.pods = [routerPod('router-1')];
  rig.rps = 100;
  await rig.pass();
  await rig.seconds(20);
  expect(await split()).toBeUndefined();
  rig.rps = 7_000;
  await rig.seconds(90);
  expect(await split()).toMatchObject({ count: 2 });
});

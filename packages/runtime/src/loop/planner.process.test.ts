import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { onePlanTask as planTask, onePipelineSetup as setup } from './planning-setup.test-support.js';

const observation = {
  ...{ atMs: 0, stages: {}, runningPlan: { stages: {} }, staleSources: [] },
  load: { arrivalsPerSecond: [20] },
};
const tick = { kind: 'tick', observation, executes: true, changedByHand: false };

/** Runs `steps` in a process of its own, and returns the `result` that they set. */
async function resultOf(steps: string): Promise<unknown> {
  const script = `
    import { readdirSync } from 'node:fs';
    import { getPriority, setPriority } from 'node:os';
    import { Planner, PlannerPool } from '@equipoise/runtime';
    const [setup, planTask, tick, keep] = ${JSON.stringify([setup, planTask, tick, { kind: 'keep' }])};
    const threads = () => readdirSync('/proc/self/task').map(Number);
    ${steps}
    console.log(JSON.stringify(result));`;
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', script], {
    cwd: import.meta.dirname,
    timeout: 60_000,
  });
  return JSON.parse(stdout);
}

/** `prioritiesOf` returns the priorities of the threads of all planners, compared with that of the server. */
const priorities = `
  const others = threads();
  const named = (niceness) =>
    niceness === getPriority() ? 'equal' : niceness === Math.min(19, getPriority() + 5) ? 'lower' : niceness;
  const prioritiesOf = async (...planners) => {
    // Threads take messages in their order: when they answer this one, they have yielded if they were told to.
    for (const planner of planners) await planner.ask(keep);
    return threads().filter((id) => !others.includes(id)).map((id) => named(getPriority(id)));
  };`;

describe.runIf(process.platform === 'linux')('the priority of planners', () => {
  it.each([0, 15])(
    'is that of the server until the first plan, then lower, be that a niceness of %d',
    async (least) => {
      const { serving, ...planning } = (await resultOf(`
      setPriority(Math.max(${least}, getPriority()));
      ${priorities}
      const planner = new Planner(setup);
      const result = { serving: getPriority(), before: await prioritiesOf(planner) };
      await planner.ask(planTask);
      result.after = await prioritiesOf(planner);
      await planner.ask(planTask);
      result.later = await prioritiesOf(planner);
      await planner.close();
      result.restarted = await prioritiesOf(planner);`)) as { readonly serving: number };
      expect(serving).toBeGreaterThanOrEqual(least);
      expect(planning).toEqual({ before: ['equal'], after: ['lower'], later: ['lower'], restarted: ['lower'] });
    },
  );

  it('is lower in all threads of a pool as soon as one pipeline has a plan', async () => {
    const result = await resultOf(`
      ${priorities}
      const pool = new PlannerPool({ threads: 2 });
      const planners = [new Planner(setup, pool), new Planner(setup, pool)];
      const result = { before: await prioritiesOf(...planners) };
      await planners[0].ask(planTask);
      result.after = await prioritiesOf(...planners);`);
    expect(result).toEqual({ before: ['equal', 'equal'], after: ['lower', 'lower'] });
  });

  it('is lower from the first tick on, and at once in a process that serves already', async () => {
    const result = await resultOf(`
      ${priorities}
      const planner = new Planner(setup);
      await planner.ask(tick);
      const result = [await prioritiesOf(planner)];
      await planner.close();
      result.push(await prioritiesOf(new Planner(setup, new PlannerPool({ serves: true }))));`);
    expect(result).toEqual([['lower'], ['lower']]);
  });
});

it('a planner keeps the process alive while a question is open, and no longer', async () => {
  expect(await resultOf('const { kind: result } = await new Planner(setup).ask(planTask);')).toBe('feasible');
});

import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { onePlanTask as planTask, onePipelineSetup as setup } from './planning-setup.test-support.js';

describe('the thread of a planner', () => {
  it.runIf(process.platform === 'linux').each([0, 15])(
    'plans at a lower priority than it serves, be that a niceness of %d',
    async (niceness) => {
      const script = `
        import { readdirSync } from 'node:fs';
        import { getPriority, setPriority } from 'node:os';
        import { Planner } from '@equipoise/runtime';
        const threads = () => readdirSync('/proc/self/task').map(Number);
        const serving = Math.max(${niceness}, getPriority());
        setPriority(serving);
        const others = threads();
        await new Planner(${JSON.stringify(setup)}).ask({ kind: 'keep' });
        const planning = threads().filter((id) => !others.includes(id)).map((id) => getPriority(id));
        console.log(JSON.stringify({ serving: getPriority(), planning, expected: Math.min(19, serving + 5) }));`;
      const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', script], {
        cwd: import.meta.dirname,
        timeout: 60_000,
      });
      const { serving, planning, expected } = JSON.parse(stdout);
      expect(serving).toBeGreaterThanOrEqual(niceness);
      expect(planning).toEqual([expected]);
    },
  );

  it('keeps the process alive while a question is open, and no longer', async () => {
    const script = `
      import { Planner } from '@equipoise/runtime';
      const planner = new Planner(${JSON.stringify(setup)});
      console.log((await planner.ask(${JSON.stringify(planTask)})).kind);`;
    const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', script], {
      cwd: import.meta.dirname,
      timeout: 60_000,
    });
    expect(stdout.trim()).toBe('feasible');
  });
});

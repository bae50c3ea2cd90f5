import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';

const MODULE = new URL('../../dist/terminal/plan-progress.js', import.meta.url).href;

/** Stderr of a process that computes for `ms` without a pause. */
function toldBy(ms: number, startsAfterMs = 0): string {
  const script = `
    const { PlanProgress } = await import(${JSON.stringify(MODULE)});
    const progress = new PlanProgress('planning shelf', ${startsAfterMs});
    const compute = (ms) => {
      const end = performance.now() + ms;
      while (performance.now() < end);
    };
    if (${startsAfterMs} > 0) compute(100);
    progress.say('planning shelf, 3 plans simulated');
    compute(${ms});
    await progress.stop();`;
  const cwd = fileURLToPath(new URL('.', import.meta.url));
  return spawnSync(process.execPath, ['--input-type=module', '-e', script], { cwd, encoding: 'utf8' }).stderr;
}

it('long planning is told while it computes, short planning is not', () => {
  expect(toldBy(2_600)).toMatch(/^planning shelf, 3 plans simulated, [23] s\n$/);
  expect(toldBy(50)).toBe('');
  expect(toldBy(2_600, 50)).toMatch(/^planning shelf, 3 plans simulated, [23] s\n$/);
  expect(toldBy(2_600, 60_000)).toBe('');
});

import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { onePipelineSetup } from './planning-setup.test-support.js';

describe('planning threads', () => {
  it.runIf(process.platform === 'linux')('are no more than they may be, and fewer for fewer pipelines', async () => {
    const script = `
      import { readdirSync } from 'node:fs';
      import { Planner, PlannerPool } from '@equipoise/runtime';
      const count = () => readdirSync('/proc/self/task').length;
      const before = count();
      const threads = new PlannerPool({ threads: 2 });
      const counts = [];
      const planners = [];
      for (let i = 0; i < 4; i++) {
        planners.push(new Planner(${JSON.stringify(onePipelineSetup)}, threads));
        await planners.at(-1).ask({ kind: 'keep' });
        counts.push(count() - before);
      }
      console.log(JSON.stringify(counts));`;
    const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', script], {
      cwd: import.meta.dirname,
      timeout: 60_000,
    });
    expect(JSON.parse(stdout)).toEqual([1, 2, 2, 2]);
  });
});

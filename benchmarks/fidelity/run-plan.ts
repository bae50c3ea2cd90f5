import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { PlanResult } from './plan-result.js';

const SELDOM_COLLECTED = [
  '--max-semi-space-size=64',
  '--incremental-marking-soft-trigger=75',
  '--incremental-marking-hard-trigger=90',
];
/** Node 20 does not know these flags. */
const COMPILED_EARLY = ['--invocation-count-for-turbofan=1000', '--concurrent-turbofan-max-threads=1'];

/** As in packages/app/bin/equipoise, for the command `serve`. */
const serverFlags =
  Number.parseInt(process.versions.node, 10) >= 22 ? [...SELDOM_COLLECTED, ...COMPILED_EARLY] : SELDOM_COLLECTED;

/** Core 0: the server's thread and the load generator. Without garbage-collection threads, which would follow it. */
export function runPlan(number: number, scale: number): Promise<PlanResult> {
  const file = (name: string) => fileURLToPath(new URL(name, import.meta.url));
  const flags = ['--single-threaded-gc', ...serverFlags, '--require', file('pool-threads.cjs'), '--import', 'tsx'];
  const args = ['-c', '0', process.execPath, ...flags, file('plan-process.ts'), String(number), String(scale)];
  return new Promise((done, reject) => {
    const child = spawn('taskset', args, { stdio: ['ignore', 'pipe', 'inherit'] });
    let text = '';
    child.stdout.on('data', (chunk) => {
      text += chunk;
    });
    child.on('error', reject);
    child.on('close', (code) => {
      if (code === 0) done(JSON.parse(text) as PlanResult);
      else reject(new Error(`plan ${number} ended with exit code ${code}`));
    });
  });
}

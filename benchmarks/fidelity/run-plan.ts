import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { sameNode, servingNode } from '../data-plane/router/server-process.js';
import type { PlanResult } from './plan-result.js';

/** Core 0: the server's thread and the load generator. Without garbage-collection threads, which would follow it. */
export function runPlan(number: number, scale: number): Promise<PlanResult> {
  const file = (name: string) => fileURLToPath(new URL(name, import.meta.url));
  const flags = ['--single-threaded-gc', '--require', file('pool-threads.cjs'), '--import', 'tsx'];
  const args = ['-c', '0', servingNode, ...flags, file('plan-process.ts'), String(number), String(scale)];
  return new Promise((done, reject) => {
    const child = spawn('taskset', args, {
      env: { ...process.env, ...sameNode },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
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

/** A shadow in a process of its own ends, hangs, fails or is killed. Clients notice nothing, and comparisons go on. */
import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout } from 'node:timers/promises';
import { expect, it } from 'vitest';
import type { Serving } from '../equipoise.test-support.js';
import { serveTests } from '../serve-tests.test-support.js';

/** Answers the class of its input. With the parameter `fragile`, some inputs are attacks. */
const STAGE = `const attacks = {
  101: () => process.exit(1),
  102: () => { for (;;); },
  103: () => { throw new Error('odd input'); },
  104: () => ({ label: { datatype: 'INT32', shape: [7], data: Int32Array.of(1) } }),
  105: () => ({}),
};
export function load({ parameters }) {
  const answer = ({ x }) => {
    const attack = parameters.fragile ? attacks[x.data[0]] : undefined;
    return attack?.() ?? { label: { datatype: 'INT32', shape: [1], data: Int32Array.of(x.data[0] % 10) } };
  };
  return { run: (batch) => batch.map(answer) };
}
`;

const variant = (name: string, more = '') => `        - name: ${name}
          accuracy: { value: 0.95 }
          ${more}
          resources: { cpuCores: 0.25 }
          profile: [{ cpuCores: 1, batchSize: 1, meanMs: 10, p99Ms: 20 }]
`;

const pipeline = (runTimeoutMs: number) => `apiVersion: equipoise.dev/v1alpha1
kind: InferencePipeline
metadata: { name: attacked }
spec:
  slo: { latencyMs: 5000 }
  budget: { cpuCores: 1 }
  sources: [{ name: x, datatype: INT32, shape: [1] }]
  stages:
    - name: classify
      module: ./classify.mjs
      isolation: process
      runTimeoutMs: ${runTimeoutMs}
      shadow: { variant: large, fraction: 1 }
      pins: { variant: small }
      variants:
${variant('small')}${variant('large', 'parameters: { fragile: true }')}`;

const { serve } = serveTests({
  'pipeline.yaml': pipeline(1_000),
  'patient.yaml': pipeline(600_000),
  'classify.mjs': STAGE,
});

async function ask({ url }: Serving, x: number): Promise<void> {
  const headers = { 'content-type': 'application/json' };
  const body = JSON.stringify({ inputs: [{ name: 'x', datatype: 'INT32', shape: [1], data: [x] }] });
  const response = await fetch(`${url}/v2/models/attacked/infer`, { method: 'POST', headers, body });
  expect(await response.json()).toMatchObject({ outputs: [{ name: 'label', data: [x % 10] }] });
}

type Result = 'compared' | 'failed' | 'skipped';

/** Copies of items so far, by result. */
async function shadowed({ url }: Serving, result: Result): Promise<number> {
  const metrics = await (await fetch(`${url}/metrics`)).text();
  const found = new RegExp(`equipoise_shadow_items_total\\{[^}]*result="${result}"[^}]*\\} (\\d+)`).exec(metrics);
  return Number(found?.[1] ?? 0);
}

/** Sends ordinary requests until the count of a result grows. */
async function until(serving: Serving, result: Result): Promise<void> {
  const before = await shadowed(serving, result);
  for (let x = 0; (await shadowed(serving, result)) === before; x++) {
    await ask(serving, x % 10);
    await setTimeout(50);
  }
}

/** Processes that the server started. */
function childrenOf(pid: number): readonly number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => {
      try {
        const [, parent] = /^PPid:\s+(\d+)$/m.exec(readFileSync(`/proc/${name}/status`, 'utf8')) ?? [];
        return Number(parent) === pid ? [Number(name)] : [];
      } catch {
        // It has ended in the meantime.
        return [];
      }
    });
}

async function attack(serving: Serving, x: number): Promise<void> {
  const failed = await shadowed(serving, 'failed');
  await ask(serving, x);
  while ((await shadowed(serving, 'failed')) === failed) await setTimeout(50);
}

it.skipIf(process.platform !== 'linux')(
  'answers all clients, and compares again after each attack',
  async () => {
    const serving = await serve('pipeline.yaml', '--mode', 'off', '--arrival-rps', '1');
    await until(serving, 'compared');
    for (const x of [101, 103, 104, 105]) {
      await attack(serving, x);
      await until(serving, 'compared');
    }
    // One replica serves. The younger process is the shadow, which has started again.
    process.kill(Math.max(...childrenOf(serving.command.pid)), 'SIGKILL');
    await until(serving, 'skipped');
    await until(serving, 'compared');
    expect(childrenOf(serving.command.pid)).toHaveLength(2);
    await attack(serving, 102);
    await ask(serving, 1);
    serving.command.signal('SIGTERM');
    expect((await serving.command.ended).exitCode).toBe(0);
  },
  120_000,
);

it('ends while its shadow hangs', async () => {
  const serving = await serve('patient.yaml', '--mode', 'off', '--arrival-rps', '1');
  await until(serving, 'compared');
  await ask(serving, 102);
  serving.command.signal('SIGTERM');
  expect((await serving.command.ended).exitCode).toBe(0);
}, 60_000);

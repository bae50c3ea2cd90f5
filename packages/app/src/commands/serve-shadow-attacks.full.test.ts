/** A shadow in a process of its own ends, hangs, fails or is killed. Clients notice nothing, and comparisons go on. */
import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout } from 'node:timers/promises';
import { expect, it } from 'vitest';
import type { Serving } from '../equipoise.test-support.js';
import { serveTests } from '../serve-tests.test-support.js';
import { inferX, type ShadowResult, shadowedItems, shadowedPipeline } from './shadowed-pipeline.test-support.js';

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

const NAME = 'attacked';
const pipeline = (runTimeoutMs: number): string =>
  shadowedPipeline({
    name: NAME,
    variants: { small: '', large: 'fragile: true' },
    stage: ['isolation: process', `runTimeoutMs: ${runTimeoutMs}`],
  });

const { serve } = serveTests({
  'pipeline.yaml': pipeline(1_000),
  'patient.yaml': pipeline(600_000),
  'classify.mjs': STAGE,
});

async function ask(serving: Serving, x: number): Promise<void> {
  const response = await inferX(serving, NAME, x);
  expect(await response.json()).toMatchObject({ outputs: [{ name: 'label', data: [x % 10] }] });
}

/** Sends ordinary requests until the count of a result grows. */
async function until(serving: Serving, result: ShadowResult): Promise<void> {
  const before = await shadowedItems(serving, result);
  for (let x = 0; (await shadowedItems(serving, result)) === before; x++) {
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
  const failed = await shadowedItems(serving, 'failed');
  await ask(serving, x);
  while ((await shadowedItems(serving, 'failed')) === failed) await setTimeout(50);
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

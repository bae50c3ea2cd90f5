/** Replicas that are started servers: passes the conformance suite and leaves no process behind. */
import { readdirSync, readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import type { InferenceServerSpec, TensorMap } from '@equipoise/core/model';
import { describeModelRunnerConformance, launchRequestOf, oneCore, stageNamed, variantNamed } from '@equipoise/testkit';
import { describe, expect, it } from 'vitest';
import { CommandReplicaLauncher, ProcessorPool } from './command-replica-launcher.js';

const fixture = fileURLToPath(new URL('../fixtures/echo-server.mjs', import.meta.url));

/** Processes with the fixture on their command line: watch, server and its children. */
function living(): number {
  return pids().length;
}

function pids(): readonly number[] {
  return readdirSync('/proc')
    .map(Number)
    .filter((pid) => pid > 0 && pid !== process.pid && commandLineOf(pid).split('\0').includes(fixture));
}

function commandLineOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8');
  } catch {
    return '';
  }
}

function requestOf(order = '', more: Partial<InferenceServerSpec> = {}, runTimeoutMs = 60_000) {
  const server: InferenceServerSpec = {
    urls: ['http://127.0.0.1:{port}'],
    model: 'echo',
    batching: 'stack',
    command: ['node', fixture, '{port}', order],
    ...more,
  };
  return launchRequestOf(stageNamed('command', [variantNamed('v', { server })], { runTimeoutMs }));
}

const named = (name: string): TensorMap => ({ [name]: { datatype: 'UINT8', shape: [1], data: Uint8Array.of(1) } });

describeModelRunnerConformance('command replica', () => ({
  launcher: new CommandReplicaLauncher({ healthIntervalMs: 100, launchTimeoutMs: 30_000 }),
  echo: requestOf(),
  unstartable: {
    'it ends': { code: 'MODEL_LOAD_FAILED', request: requestOf('exit') },
    'there is no such program': {
      code: 'MODEL_LOAD_FAILED',
      request: requestOf('', { command: ['/no/such/program', '{port}'] }),
    },
    'it is never ready': {
      code: 'MODEL_LOAD_FAILED',
      request: requestOf('never'),
      launcher: new CommandReplicaLauncher({ launchTimeoutMs: 1_500 }),
    },
  },
  lossesWhileBusy: { 'its server ends': (runner) => runner.run([named('exit')]) },
  hanging: { request: requestOf('', {}, 500), item: () => named('wait') },
  loseWhileIdle: () => {
    for (const pid of pids()) process.kill(pid, 'SIGKILL');
  },
  living,
}));

describe('a command', () => {
  const launcher = new CommandReplicaLauncher();

  it('says what its server printed last when it ends', async () => {
    await expect(launcher.launch(requestOf('exit'))).rejects.toThrow(
      /exit code 3; it printed last:\s+cannot read the model/,
    );
  });

  it('is waited for until its model is ready', async () => {
    const { runner, loadMs } = await launcher.launch(requestOf('late'));
    expect(loadMs).toBeGreaterThan(300);
    await runner.close();
  });

  it('gets its environment, with the variables in braces', async () => {
    const environment = { ECHO_VERSION: '{cpuCores}/{threads}' };
    const { runner } = await launcher.launch({
      ...requestOf('', { environment }),
      resources: { ...oneCore, cpuCores: 0.5 },
    });
    const [pid] = pids();
    expect(readFileSync(`/proc/${pid}/environ`, 'utf8')).toContain('ECHO_VERSION=0.5/1');
    await runner.close();
  });

  it('is refused where it has a variable that there is not', async () => {
    await expect(launcher.launch(requestOf('{host}'))).rejects.toThrow('{host}');
    expect(living()).toBe(0);
  });

  it.runIf(availableParallelism() > 1)('runs on processors of its own', async () => {
    const pinned = new CommandReplicaLauncher();
    const runners = await Promise.all([pinned.launch(requestOf()), pinned.launch(requestOf())]);
    const lists = pids().map(
      (pid) => /Cpus_allowed_list:\s*(\S+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1],
    );
    expect(new Set(lists).size).toBe(2);
    expect(lists.every((list) => /^\d+$/.test(list ?? ''))).toBe(true);
    await Promise.all(runners.map(({ runner }) => runner.close()));
  });
});

describe('a pool of processors', () => {
  it('gives those with the fewest servers, and all to whom needs as many as there are', () => {
    const pool = new ProcessorPool([0, 1, 2, 3]);
    const first = pool.take(2);
    expect(first).toEqual([0, 1]);
    expect(pool.take(1.5)).toEqual([2, 3]);
    pool.give(first);
    expect(pool.take(1)).toEqual([0]);
    expect(pool.take(4)).toBeUndefined();
  });
});

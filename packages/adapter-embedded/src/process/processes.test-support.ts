/** Counts replica processes, and tests whether one outlives its parent. */
import { spawn } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { getPriority } from 'node:os';
import { join } from 'node:path';
import type { LaunchRequest } from '@equipoise/core/ports';
import { expect } from 'vitest';
import { fixtures } from '../obeying-stage.test-support.js';

const count = (name: string): number => process.getActiveResourcesInfo().filter((resource) => resource === name).length;
const pipesBefore = count('PipeWrap');

/** Running replica processes of this process, and their open sockets. */
export const livingProcesses = (): number => count('ProcessWrap') + Math.max(0, count('PipeWrap') - pipesBefore);

/** Priorities of all threads of a process (Linux), each once. */
export const prioritiesOf = (pid: number): readonly number[] => [
  ...new Set(readdirSync(`/proc/${pid}/task`).map((threadId) => getPriority(Number(threadId)))),
];

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

/**
 * Starts a process whose replica obeys `command`. Kills the process and expects the replica, or its child if `asked`, to
 * exit, too.
 */
export async function expectEndsWithParent(
  launcher: string,
  request: LaunchRequest,
  command: string,
  asked: 'pid' | 'pid-of-child' = 'pid',
): Promise<void> {
  const parent = spawn(
    process.execPath,
    [join(fixtures, 'orphaning-parent.mjs'), launcher, JSON.stringify(request), command, asked],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  const exited = new Promise((resolve) => parent.once('exit', resolve));
  const pid = Number(await new Promise((resolve) => parent.stdout.once('data', resolve)));
  expect(isAlive(pid)).toBe(true);
  parent.kill('SIGKILL');
  await exited;
  await expect.poll(() => isAlive(pid)).toBe(false);
}

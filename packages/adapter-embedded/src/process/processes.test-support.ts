/** What tests of replica processes look at: how many there are, and whether one outlives its parent. */
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import type { LaunchRequest } from '@equipoise/core/ports';
import { expect } from 'vitest';
import { fixtures } from '../obeying-stage.test-support.js';

const count = (name: string): number => process.getActiveResourcesInfo().filter((resource) => resource === name).length;
const pipesBefore = count('PipeWrap');

/** Replica processes of this process that run, and their sockets that are open. */
export const livingProcesses = (): number => count('ProcessWrap') + Math.max(0, count('PipeWrap') - pipesBefore);

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

/** Has a process start a replica and obey `command` in it, kills that process by force and expects the replica to end, too. */
export async function expectEndsWithParent(launcher: string, request: LaunchRequest, command: string): Promise<void> {
  const parent = spawn(
    process.execPath,
    [join(fixtures, 'orphaning-parent.mjs'), launcher, JSON.stringify(request), command],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  const exited = new Promise((resolve) => parent.once('exit', resolve));
  const pid = Number(await new Promise((resolve) => parent.stdout.once('data', resolve)));
  expect(isAlive(pid)).toBe(true);
  parent.kill('SIGKILL');
  await exited;
  await expect.poll(() => isAlive(pid)).toBe(false);
}

/** The first process of a container, with a process namespace in its place. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describeWithTool } from '@equipoise/testkit';
import { expect, it } from 'vitest';

const namespace = ['--pid', '--fork', '--kill-child'];
const namespaces = {
  name: 'process-namespaces',
  missing: 'run as root on Linux, with unshare',
  isPresent: () => spawnSync('unshare', [...namespace, 'true']).status === 0,
};
const entry = fileURLToPath(new URL('../../bin/equipoise.js', import.meta.url));

/** Sends SIGTERM to the process in the namespace, if it has begun and not ended. */
function terminate({ pid }: ChildProcess): void {
  try {
    const child = Number(readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8'));
    if (child > 0) process.kill(child, 'SIGTERM');
  } catch {
    // It has ended.
  }
}

describeWithTool(namespaces, 'the first process of a container', () => {
  it('ends at SIGTERM while it loads', async () => {
    const parent = spawn('unshare', [...namespace, process.execPath, entry, 'serve', 'missing.yaml'], {
      stdio: 'ignore',
    });
    const ended = once(parent, 'exit');
    // Whatever listens first ends the process. A command that has loaded ends by itself, with another code.
    const signals = setInterval(() => terminate(parent), 1);
    parent.on('exit', () => clearInterval(signals));
    expect(await ended).toEqual([143, null]);
  });
});

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { StateClaim } from './state-claim.js';

const claimer = fileURLToPath(new URL('./claiming-process.test-support.ts', import.meta.url));
let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'equipoise-claim-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

/** A process that has claimed the state, started by `shell` if given. */
async function claiming(shell = 'exec "$0" "$@"') {
  const args = ['--conditions=equipoise-source', '--import', 'tsx', claimer, join(folder, 'state.db'), 'p'];
  const child = spawn('sh', ['-c', shell, process.execPath, ...args], { stdio: ['ignore', 'pipe', 'inherit'] });
  const [said] = await Promise.race([once(child.stdout, 'data'), once(child.stdout, 'end')]);
  expect(String(said)).toBe('claimed\n');
  return child;
}

const inUse = (processId: number | undefined) =>
  expect.objectContaining({
    ...{ code: 'STATE_IN_USE', details: { path: join(folder, 'state.db'), processId } },
    message: expect.stringMatching(new RegExp(`\\(process ${processId}\\).*: stop that server, serve a copy`)),
  });

describe('StateClaim', () => {
  const claimed = (pipelineName = 'p') => ({ path: join(folder, 'state.db'), pipelineName });

  it('is of one server a pipeline, until it is released', () => {
    const first = new StateClaim(claimed());
    const other = new StateClaim(claimed('q'));
    expect(() => new StateClaim(claimed())).toThrow(inUse(process.pid));
    first.release();
    first.release();
    new StateClaim(claimed()).release();
    other.release();
  });

  it('holds against other processes, names the one that has it, and ends with that one when it is killed', async () => {
    const child = await claiming();
    for (let attempt = 0; attempt < 2; attempt++) expect(() => new StateClaim(claimed())).toThrow(inUse(child.pid));
    new StateClaim(claimed('q')).release();
    child.kill('SIGKILL');
    await once(child, 'exit');
    new StateClaim(claimed()).release();
  });

  it.each([
    ['of a server that was killed', true],
    ['that is not there yet', false],
  ])('is had where nothing can be written any more, with a file %s', async (_, isKilled) => {
    if (isKilled) {
      const before = await claiming();
      before.kill('SIGKILL');
      await once(before, 'exit');
    }
    // A full disk: no file may grow.
    const child = await claiming('ulimit -f 0; exec "$0" "$@"');
    expect(() => new StateClaim(claimed())).toThrow(/^Another server .*serves pipeline p from this folder/);
    child.kill('SIGKILL');
    await once(child, 'exit');
    new StateClaim(claimed()).release();
  });

  it('says what to do where its file is none', () => {
    writeFileSync(join(folder, 'state.db.p.lock'), 'no database'.repeat(500));
    const failed = {
      code: 'STORE_FAILED',
      message: expect.stringMatching(/p\.lock failed .*: it is damaged; move it away/),
    };
    expect(() => new StateClaim(claimed())).toThrow(expect.objectContaining(failed));
  });
});

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
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

const inUse = (processId: number | undefined) =>
  expect.objectContaining({
    ...{ code: 'STATE_IN_USE', details: { path: join(folder, 'state.db'), processId } },
    message: expect.stringMatching(new RegExp(`\\(process ${processId}\\).*: stop that one, or serve a copy`)),
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
    const args = ['--conditions=equipoise-source', '--import', 'tsx', claimer, join(folder, 'state.db'), 'p'];
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
    await once(child.stdout, 'data');
    for (let attempt = 0; attempt < 2; attempt++) expect(() => new StateClaim(claimed())).toThrow(inUse(child.pid));
    new StateClaim(claimed('q')).release();
    child.kill('SIGKILL');
    await once(child, 'exit');
    new StateClaim(claimed()).release();
  });
});

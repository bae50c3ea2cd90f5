/** Starts over state files that cannot be written: the pipeline is ready and names the fault, and loses no state. */
import { execFile, spawnSync } from 'node:child_process';
import { copyFileSync, cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { syntheticPipeline, TestFolder } from '../equipoise.test-support.js';
import { type ReportedStart, startOver } from './started-over.test-support.js';

/** Half of them are truncated, half are random. */
const DAMAGED_FILES = Number(process.env['EQUIPOISE_DAMAGED_FILES'] ?? 2);
const SEED = 18;
const STARTER = fileURLToPath(new URL('started-over.test-support.ts', import.meta.url));

const namespace = ['--mount', ...(process.getuid?.() === 0 ? [] : ['--map-root-user'])];
const canMount = spawnSync('unshare', [...namespace, 'mount', '-t', 'tmpfs', 'tmpfs', '/tmp']).status === 0;

/** Shell commands that make the folder `$0` unwritable, in a mount namespace of their own. */
const unwritable = {
  'read-only folder': 'mount --bind "$0" "$0" && mount -o remount,bind,ro "$0"',
  // The copy is on a disk of its own, which a large file fills.
  'full disk':
    'cp -r "$0" "$0.copy" && mount -t tmpfs -o size=64m tmpfs "$0" && cp -r "$0.copy/." "$0" && rm -r "$0.copy" && { cat /dev/zero > "$0/filler" 2> /dev/null; true; }',
} as const;

const run = promisify(execFile);

/** Starts a pipeline in the folder over each state file. */
async function startsIn(
  place: keyof typeof unwritable,
  folder: string,
  stateFiles: readonly string[],
): Promise<readonly ReportedStart[]> {
  const command = [process.execPath, '--import', 'tsx', STARTER, folder, ...stateFiles];
  const shell = ['sh', '-c', `${unwritable[place]} && exec "$@"`, folder, ...command];
  const { stdout } = await run('unshare', [...namespace, ...shell], { maxBuffer: 2 ** 26 });
  const lines = stdout.trim().split('\n');
  return lines.map((line) => JSON.parse(line) as ReportedStart);
}

describe.runIf(canMount)('state files that cannot be written (needs unshare and mount)', () => {
  const folder = new TestFolder();
  const stateFolder = join(folder.path, '.equipoise');
  const damaged: string[] = [];

  beforeAll(async () => {
    folder.write('pipeline.yaml', syntheticPipeline());
    await startOver(folder.path, 'intact.db');
    const intact = readFileSync(join(stateFolder, 'intact.db'));
    const truncated = fc.integer({ min: 1, max: intact.length - 1 }).map((length) => intact.subarray(0, length));
    const random = fc.uint8Array({ minLength: 1, maxLength: 65_536, size: 'max' }).map((bytes) => Buffer.from(bytes));
    for (const draw of [truncated, random]) {
      for (const content of fc.sample(draw, { numRuns: DAMAGED_FILES / 2, seed: SEED })) {
        const name = `damaged-${damaged.length}.db`;
        writeFileSync(join(stateFolder, name), content);
        damaged.push(name);
      }
    }
  });

  afterAll(() => folder.remove());

  it.each(Object.keys(unwritable) as (keyof typeof unwritable)[])(
    `in a %s: none, an intact one and ${DAMAGED_FILES} damaged ones (seed ${SEED})`,
    async (place) => {
      const stateFiles = ['none.db', 'intact.db', ...damaged];
      const named = expect.stringMatching(
        /The state file .+ failed \(.+\): (it is damaged; move it away|check the disk and the permissions of its folder|make room on the disk)/s,
      );
      const expected = stateFiles.map((stateFile) => ({
        ...{ stateFile, isReady: true, isKept: true },
        faults: expect.arrayContaining([named]),
      }));
      expect(await startsIn(place, folder.path, stateFiles)).toEqual(expected);
    },
  );

  it('are restored where they can be written again', async () => {
    const again = new TestFolder();
    cpSync(join(folder.path, 'pipeline.yaml'), join(again.path, 'pipeline.yaml'));
    mkdirSync(join(again.path, '.equipoise'));
    copyFileSync(join(stateFolder, 'intact.db'), join(again.path, '.equipoise', 'intact.db'));
    expect(await startOver(again.path, 'intact.db')).toMatchObject({ faults: [], first: 'resumed', mode: 'off' });
    await again.remove();
  });
});

/** Starts over many damaged state files: the pipeline is ready and names the fault, and no byte of a file is lost. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type LoopEvent, SqlitePlanStore } from '@equipoise/runtime';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { syntheticPipeline, TestFolder } from '../equipoise.test-support.js';
import { loadSpec } from './load-spec.js';
import { startPipeline } from './start-pipeline.js';

/** Each start takes half a second of processor time. */
const FILES = process.env['EQUIPOISE_SEEDS'] === 'all' ? 100 : 2;
const SEED = 18;

/** Defines the suite. `draw` draws damaged versions of an intact file. */
export function describeDamagedStates(name: string, draw: (intact: Buffer) => fc.Arbitrary<Buffer>): void {
  describe(`${name} state files`, () => {
    const folder = new TestFolder();
    const pathOf = (stateFile: string) => join(folder.path, '.equipoise', stateFile);

    beforeAll(async () => {
      folder.write('pipeline.yaml', syntheticPipeline());
      await startOver(folder, 'intact.db');
    });

    afterAll(() => folder.remove());

    it(`are set aside whole and named, and a new file is begun: ${FILES} files (seed ${SEED})`, async () => {
      const damaged = draw(readFileSync(pathOf('intact.db')));
      for (const [index, content] of fc.sample(damaged, { numRuns: FILES, seed: SEED }).entries()) {
        const stateFile = `${name}-${index}.db`;
        const path = pathOf(stateFile);
        writeFileSync(path, content);
        const { isReady, faults } = await startOver(folder, stateFile);
        const place = `${stateFile} of ${content.length} bytes`;
        expect([place, isReady, faults]).toEqual([
          place,
          true,
          [expect.stringMatching(/The state file was damaged\. It is now .*\.damaged-\d+/)],
        ]);
        const [, aside = ''] = / now (\S+\.damaged-\d+)/.exec(faults[0] ?? '') ?? [];
        expect(readFileSync(aside).equals(content)).toBe(true);
        const store = new SqlitePlanStore(path);
        expect(await store.kept('synthetic', 'operator')).toBeDefined();
        await store.close();
      }
    });

    it('are told from an intact one, whose plan and mode are restored', async () => {
      expect(await startOver(folder, 'intact.db')).toMatchObject({
        isReady: true,
        faults: [],
        first: 'resumed',
        mode: 'off',
      });
    });
  });
}

/** Starts over a state file, and then pauses the loop, which is saved. */
async function startOver(folder: TestFolder, stateFile: string) {
  const spec = await loadSpec(join(folder.path, 'pipeline.yaml'));
  const events: LoopEvent[] = [];
  const pipeline = await startPipeline({
    ...{ spec, profiles: [], arrivalRps: 1, policy: 'equipoise', fixed: false, resume: true },
    ...{ stateFile, report: (event) => events.push(event) },
  });
  const isReady = pipeline.runner.ready;
  await pipeline.control.pause('a test');
  await pipeline.close();
  const faults = events.flatMap((event) =>
    event.kind === 'failed' && event.step === 'store' ? [String(event.error)] : [],
  );
  return { isReady, faults, first: pipeline.first.kind, mode: pipeline.kept.wishes.mode };
}

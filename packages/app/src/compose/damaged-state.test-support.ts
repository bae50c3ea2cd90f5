/** Starts over many damaged state files: the pipeline is ready and names the fault, and no byte of a file is lost. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { SqlitePlanStore } from '@equipoise/runtime';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { syntheticPipeline, TestFolder } from '../equipoise.test-support.js';
import { startOver } from './started-over.test-support.js';

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
      await startOver(folder.path, 'intact.db');
    });

    afterAll(() => folder.remove());

    it(`are set aside whole and named, and a new file is begun: ${FILES} files (seed ${SEED})`, async () => {
      const damaged = draw(readFileSync(pathOf('intact.db')));
      for (const [index, content] of fc.sample(damaged, { numRuns: FILES, seed: SEED }).entries()) {
        const stateFile = `${name}-${index}.db`;
        const path = pathOf(stateFile);
        writeFileSync(path, content);
        const { isReady, faults } = await startOver(folder.path, stateFile);
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
      expect(await startOver(folder.path, 'intact.db')).toMatchObject({
        isReady: true,
        faults: [],
        first: 'resumed',
        mode: 'off',
      });
    });
  });
}

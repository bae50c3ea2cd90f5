import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { syntheticPipeline, TestFolder } from '../equipoise.test-support.js';
import { readGrid } from './read-grid.js';

const folder = new TestFolder();

const GRID = `apiVersion: equipoise.dev/v1alpha1
kind: Experiment
metadata: { name: small }
spec:
  pipelines: [pipeline.yaml]
  loads:
    - { name: steady, arrivalRps: 20, durationS: 30 }
    - second.csv
  policies: [static-cheapest, ipa]
  seeds: [1, 2]
`;

/** Cell digests of a grid written to `read.yaml`. */
async function digestsOf(text: string, code = 'code'): Promise<readonly string[]> {
  const file = join(folder.path, folder.write('read.yaml', text));
  return (await readGrid(file, { codeDigest: code })).cells.map(({ digest }) => digest);
}

beforeAll(() => {
  folder.write('pipeline.yaml', syntheticPipeline());
  folder.write('second.csv', `requests\n${'20\n'.repeat(15)}`);
  folder.write('empty.csv', 'requests\n');
});

afterAll(() => folder.remove());

describe('reading a grid', () => {
  it('gives each cell a digest of all that its figures depend on, and of nothing else', async () => {
    const digests = await digestsOf(GRID);
    expect(new Set(digests).size).toBe(8);
    const changed = async (text: string, code?: string) => {
      const now = await digestsOf(text, code);
      return now.filter((digest) => !digests.includes(digest)).length;
    };
    expect(await changed(GRID)).toBe(0);
    expect(await changed(GRID.replace('name: small', 'name: other').replace('name: steady', 'name: renamed'))).toBe(0);
    expect(await changed(GRID.replace('[1, 2]', '[1, 3]'))).toBe(4);
    expect(await changed(GRID, 'other code')).toBe(8);
    folder.write('second.csv', `requests\n${'21\n'.repeat(15)}`);
    expect(await changed(GRID)).toBe(4);
    folder.write('second.csv', `requests\n${'20\n'.repeat(15)}`);
    folder.write('pipeline.yaml', syntheticPipeline({ largeMs: 21 }));
    expect(await changed(GRID)).toBe(8);
    folder.write('pipeline.yaml', syntheticPipeline());
    expect(await changed(GRID)).toBe(0);
  });

  it.each([
    [
      'policies: [static-cheapest, ipa]',
      'policies: [static-cheapest, ipaa]',
      'grid-bad.yaml:9:31 spec.policies[1]',
      'did you mean ipa',
    ],
    ['second.csv', 'burstyy', 'grid-bad.yaml:8:7 spec.loads[1]', 'did you mean bursty?'],
    ['second.csv', 'empty.csv', 'grid-bad.yaml:8:7 spec.loads[1]', 'empty.csv'],
    ['durationS: 30', 'durationS: 30, arrivals: gama:2', 'grid-bad.yaml:7:7 spec.loads[0]', 'gamma:CV'],
    ['seeds: [1, 2]', 'excludeFirstS: 15', 'grid-bad.yaml:10:18 spec.excludeFirstS', 'less than the 15 s'],
    ['[pipeline.yaml]', '[pipelin.yaml]', 'grid-bad.yaml:5:15 spec.pipelines[0]', 'expected a pipeline file'],
    ['seeds: [1, 2]', 'seed: [1, 2]', 'grid-bad.yaml:10:3 spec.seed', 'did you mean seeds?'],
  ])('tells what is wrong where %s is %s', async (right, wrong, place, words) => {
    const file = join(folder.path, folder.write('grid-bad.yaml', GRID.replace(right, wrong)));
    const read = readGrid(file, { codeDigest: 'code' });
    await expect(read).rejects.toMatchObject({ code: 'INVALID_PIPELINE', message: expect.stringContaining(place) });
    await expect(read).rejects.toThrow(words);
  });
});

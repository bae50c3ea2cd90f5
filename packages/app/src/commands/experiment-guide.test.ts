import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { TestFolder } from '../equipoise.test-support.js';
import { readGrid } from '../experiment/read-grid.js';

const GUIDE = readFileSync(fileURLToPath(new URL('../../../../docs/guide/experiments.md', import.meta.url)), 'utf8');
const [pipeline = '', grid = ''] = [...GUIDE.matchAll(/```yaml\n(.*?)\n```/gs)].map(([, text = '']) => text);
const folder = new TestFolder();

beforeAll(() => {
  folder.write('pipeline.yaml', pipeline);
  folder.write('grid.yaml', grid);
});

afterAll(() => folder.remove());

it('the guide to experiments shows the example of a policy', () => {
  const example = readFileSync(
    fileURLToPath(new URL('../../../../examples/policies/twice-the-mean.mjs', import.meta.url)),
  );
  expect(GUIDE).toContain(String(example).trimEnd());
});

it('the guide to experiments has a grid that is valid, with the cells that it speaks of', async () => {
  const { cells } = await readGrid(join(folder.path, 'grid.yaml'), { codeDigest: 'code' });
  expect(cells.map(({ policy, seed }) => `${policy} ${seed}`)).toEqual(
    ['equipoise', 'static-best'].flatMap((policy) => [1, 2, 3].map((seed) => `${policy} ${seed}`)),
  );
});

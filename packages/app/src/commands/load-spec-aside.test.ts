import { join } from 'node:path';
import { afterAll, expect, it, vi } from 'vitest';
import { syntheticPipeline, TestFolder } from '../equipoise.test-support.js';
import { loadSpecAside } from './load-spec-aside.js';

const { loadPipelineFile } =
  await vi.importActual<typeof import('@equipoise/pipeline-file')>('@equipoise/pipeline-file');
vi.mock('@equipoise/pipeline-file', async (original) => ({
  ...(await original<typeof import('@equipoise/pipeline-file')>()),
  loadPipelineFile: () => Promise.reject(new Error('this thread serves')),
}));

const folder = new TestFolder();
afterAll(() => folder.remove());

it('reads a pipeline file in another thread, with the same result', async () => {
  folder.write('pipeline.yaml', syntheticPipeline());
  const file = join(folder.path, 'pipeline.yaml');
  expect(await loadPipelineFile(file)).toMatchObject({ kind: 'valid', spec: await loadSpecAside(file) });
});

it.each([
  ['INVALID_PIPELINE', 'spec: 1', /invalid\.yaml has \w+ problems?:\n.*invalid\.yaml:1:\d+ /],
  ['FILE_NOT_FOUND', undefined, /pipeline file not found/],
])('rejects with %s as in this thread', async (code, text, message) => {
  if (text !== undefined) folder.write('invalid.yaml', text);
  const file = join(folder.path, text === undefined ? 'missing.yaml' : 'invalid.yaml');
  await expect(loadSpecAside(file)).rejects.toMatchObject({ code, message: expect.stringMatching(message) });
});

/** Pipelines for existing models. The full tier profiles and serves them. */
import { copyFileSync, existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { documentOf, TestFolder } from '../../equipoise.test-support.js';
import { equipoiseHere } from '../../run-here.test-support.js';

const folder = new TestFolder();
/** Computes `scores` FP32 [rows, 2] of `features` FP32 [rows, 3]. */
const affine = fileURLToPath(new URL('../../../../adapter-embedded/src/fixtures/affine.onnx', import.meta.url));
const run = (...args: string[]) => equipoiseHere(folder.path, ...args);

beforeAll(() => {
  for (const name of ['score-small.onnx', 'score-large.onnx']) copyFileSync(affine, join(folder.path, name));
});

afterAll(() => folder.remove());

describe('init --from-onnx', () => {
  it('writes a valid pipeline, whose variants are the files', async () => {
    const written = await run('init', 'own', '--json', '--from-onnx', 'score-small.onnx', 'score-large.onnx');
    expect(written).toMatchObject({ exitCode: 0, stderr: '' });
    const pipeline = 'own/pipeline.yaml';
    expect(documentOf(await run('validate', pipeline, '--json'))).toEqual({ valid: true, problems: [] });
  });

  it.each([
    [['none.onnx'], 3, 'FILE_NOT_FOUND', /artifact none\.onnx is not there: no file .*none\.onnx/],
    [['garbage.onnx'], 3, 'MODEL_LOAD_FAILED', /garbage\.onnx is not an ONNX model/],
    [['score-small.onnx', 'score-small.onnx', 'npm:no-such/a.onnx'], 3, 'FILE_NOT_FOUND', /npm install no-such/],
  ] as const)('says what is wrong with %j, and writes nothing', async (files, exitCode, code, message) => {
    folder.write('garbage.onnx', 'not a model');
    const ended = await run('init', 'wrong', '--json', '--from-onnx', ...files);
    expect(ended.exitCode).toBe(exitCode);
    expect(documentOf(ended)).toMatchObject({ error: { code, message: expect.stringMatching(message) } });
    expect(existsSync(join(folder.path, 'wrong'))).toBe(false);
  });
});

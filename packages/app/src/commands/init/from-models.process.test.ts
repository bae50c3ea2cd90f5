/** Pipelines for existing models. The full tier profiles and serves them. */
import { once } from 'node:events';
import { copyFileSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { documentOf, endCommands, serving, TestFolder } from '../../equipoise.test-support.js';
import { equipoiseHere } from '../../run-here.test-support.js';

const folder = new TestFolder();
/** Computes `scores` FP32 [rows, 2] of `features` FP32 [rows, 3]. */
const affine = fileURLToPath(new URL('../../../../adapter-embedded/src/fixtures/affine.onnx', import.meta.url));
const run = (...args: string[]) => equipoiseHere(folder.path, ...args);

beforeAll(() => {
  for (const name of ['score-small.onnx', 'score-large.onnx']) copyFileSync(affine, join(folder.path, name));
});

afterAll(async () => {
  await endCommands();
  await folder.remove();
});

/** Multiplies `x` FP32 [N, A, B, K] by a constant FP32 [16, 2]. */
const ONLY_16 = `CAg66gEKEwoBeAoDVzE2EgF5IgZNYXRNdWwSAWcqjgEIEAgCEAEigAE${'A'.repeat(170)}EIDVzE2Wh8KAXgSGgoYCAESFAoDEgFOCgMSAUEKAxIBQgoDEgFLYh4KAXkSGQoXCAESEwoDEgFOCgMSAUEKAxIBQgoCCAJCBAoAEBE=`;
/** Positions INT64 [num_dets, 2] of the values other than 0 in `x` FP32 [batch, 4]. */
const POSITIONS =
  'CAg6bwoQCgF4EgJueiIHTm9uWmVybwohCgJuehIBeSIJVHJhbnNwb3NlKg0KBHBlcm1AAUAAoAEHEgFnWhgKAXgSEwoRCAESDQoHEgViYXRjaAoCCARiGwoBeRIWChQIBxIQCgoSCG51bV9kZXRzCgIIAkIECgAQEQ==';
/** The same, but an exporter made up the names of the first dimensions: `unk__6` and `unk__7`. */
const POSITIONS_WITHOUT_NAMES =
  'CAg6bgoQCgF4EgJueiIHTm9uWmVybwohCgJuehIBeSIJVHJhbnNwb3NlKg0KBHBlcm1AAUAAoAEHEgFnWhkKAXgSFAoSCAESDgoIEgZ1bmtfXzYKAggEYhkKAXkSFAoSCAcSDgoIEgZ1bmtfXzcKAggCQgQKABAR';
/** Sequence of tensors, which is no tensor. */
const SEQUENCE =
  'CAg6QwoZCgF4EgFzIhFTZXF1ZW5jZUNvbnN0cnVjdBIBZ1oUCgF4Eg8KDQgBEgkKAxIBTgoCCANiDQoBcxIIIgYKBAoCCAFCBAoAEBE=';

describe('init --from-onnx', () => {
  it('writes a valid pipeline, whose variants are the files', async () => {
    const written = await run('init', 'own', '--json', '--from-onnx', 'score-small.onnx', 'score-large.onnx');
    expect(written).toMatchObject({ exitCode: 0, stderr: '' });
    const pipeline = 'own/pipeline.yaml';
    expect(documentOf(await run('validate', pipeline, '--json'))).toEqual({ valid: true, problems: [] });
  });

  it('finds a size that the model accepts, though a larger one exceeds a sample', async () => {
    writeFileSync(join(folder.path, 'only16.onnx'), Buffer.from(ONLY_16, 'base64'));
    expect(await run('init', 'only16', '--from-onnx', 'only16.onnx')).toMatchObject({ exitCode: 0, stderr: '' });
    const { x } = JSON.parse(readFileSync(join(folder.path, 'only16/samples/random-1.json'), 'utf8'));
    expect([x.length, x[0].length, x[0][0].length]).toEqual([16, 16, 16]);
  });

  it('takes first dimensions with different names for no batch dimension', async () => {
    writeFileSync(join(folder.path, 'positions.onnx'), Buffer.from(POSITIONS, 'base64'));
    expect(await run('init', 'positions', '--from-onnx', 'positions.onnx')).toMatchObject({ exitCode: 0, stderr: '' });
    const text = readFileSync(join(folder.path, 'positions/pipeline.yaml'), 'utf8');
    expect(text).toContain('{ name: x, datatype: FP32, shape: [-1, 4] }');
    expect(text).toContain('bounds: { batchSizes: [1] }');
  });

  it('declares the rows of detections, also if no name tells them from a batch', async () => {
    for (const name of ['find-small.onnx', 'find-large.onnx'])
      writeFileSync(join(folder.path, name), Buffer.from(POSITIONS_WITHOUT_NAMES, 'base64'));
    const written = await run('init', 'found', '--from-onnx', 'find-small.onnx', 'find-large.onnx');
    expect(written).toMatchObject({ exitCode: 0, stderr: '' });
    const text = readFileSync(join(folder.path, 'found/pipeline.yaml'), 'utf8');
    expect(text).toContain('{ name: x, datatype: FP32, shape: [4] }');
    expect(text).toContain('{ name: "y", datatype: INT64, shape: [-1, 2] }');
    expect(text).toContain('bounds: { batchSizes: [1] }');
    expect(text.match(/- name: find-(small|large)/g)).toHaveLength(2);
  });

  it.each([
    [['none.onnx'], 3, 'FILE_NOT_FOUND', /artifact none\.onnx is not there: no file .*none\.onnx/],
    [['sequence.onnx'], 3, 'MODEL_LOAD_FAILED', /has no tensor type; .* options=\{'zipmap': False\}/],
    [['garbage.onnx'], 3, 'MODEL_LOAD_FAILED', /garbage\.onnx is not an ONNX model/],
    [['score-small.onnx', 'score-small.onnx', 'npm:no-such/a.onnx'], 3, 'FILE_NOT_FOUND', /npm install no-such/],
  ] as const)('says what is wrong with %j, and writes nothing', async (files, exitCode, code, message) => {
    folder.write('garbage.onnx', 'not a model');
    writeFileSync(join(folder.path, 'sequence.onnx'), Buffer.from(SEQUENCE, 'base64'));
    const ended = await run('init', 'wrong', '--json', '--from-onnx', ...files);
    expect(ended.exitCode).toBe(exitCode);
    expect(documentOf(ended)).toMatchObject({ error: { code, message: expect.stringMatching(message) } });
    expect(existsSync(join(folder.path, 'wrong'))).toBe(false);
  });
});

const SERVED = `apiVersion: equipoise.dev/v1alpha1
kind: InferencePipeline
metadata: { name: served }
spec:
  slo: { latencyMs: 10000 }
  sources: [{ name: features, datatype: FP32, shape: [3] }]
  stages:
    - name: score
      module: npm:@equipoise/adapter-onnx/stage
      variants:
        - { name: only, artifact: ./score-small.onnx, accuracy: { value: 0.5 }, profile: [{ cpuCores: 1, batchSize: 1, meanMs: 5 }] }
`;

describe('init --server', () => {
  it('writes a pipeline for a model of a server, which answers for it', async () => {
    folder.write('served.yaml', SERVED);
    const { url } = await serving(folder.path, 'served.yaml');
    const inputs = [{ name: 'features', datatype: 'FP32', shape: [3], data: [1, 2, 3] }];
    // The server learns its outputs from its first answer.
    await fetch(`${url}/v2/models/served/infer`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ inputs }),
    });
    const written = await run('init', 'front', '--json', '--server', url, '--model', 'served');
    expect(written).toMatchObject({ exitCode: 0, stderr: '' });
    expect(documentOf(await run('validate', 'front/pipeline.yaml', '--json'))).toEqual({ valid: true, problems: [] });
    folder.write('front/data/one.json', JSON.stringify({ features: [1, 2, 3] }));
    folder.write('front/data/labels.json', JSON.stringify([{ file: 'one.json', label: 1 }]));
    expect(documentOf(await run('evaluate', 'front/pipeline.yaml', '--json'))).toMatchObject({
      combinations: [{ variants: { served: 'served' }, accuracy: 1 }],
    });
  });

  it('reads all models that the server lists, and says what is missing', async () => {
    const tensor = (name: string, datatype = 'FP32') => ({ name, datatype, shape: [-1, 2] });
    const models: Record<string, unknown> = {
      'big/x': { name: 'big/x', platform: 'onnx', inputs: [tensor('x')], outputs: [tensor('y')] },
      small: { name: 'small', platform: 'onnx', inputs: [tensor('x')], outputs: [tensor('y')] },
      bare: { name: 'bare', platform: 'python' },
      odd: { name: 'odd', platform: 'onnx', inputs: [tensor('x', 'BF16')], outputs: [tensor('y')] },
    };
    let index: unknown = [{ name: 'small', version: '1' }, { name: 'small', version: '2' }, { name: 'big/x' }];
    const server = createServer((request, response) => {
      const name = decodeURIComponent(request.url?.split('/').at(-1) ?? '');
      const answer = request.url === '/v2/repository/index' ? index : models[name];
      response.writeHead(answer === undefined ? 404 : 200).end(JSON.stringify(answer ?? { error: `no ${name}` }));
    });
    await once(server.listen(0, '127.0.0.1'), 'listening');
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const failed = async (...args: string[]) => {
      const ended = await run('init', 'wrong', '--json', ...args);
      expect(existsSync(join(folder.path, 'wrong'))).toBe(false);
      return { exitCode: ended.exitCode, ...(documentOf(ended) as { error: { code: string; message: string } }).error };
    };
    expect(await run('init', 'listed', '--server', url)).toMatchObject({ exitCode: 0 });
    const text = readFileSync(join(folder.path, 'listed/pipeline.yaml'), 'utf8');
    expect(text.match(/server: .*/g)).toEqual([
      `server: { url: "${url}", model: small }`,
      `server: { url: "${url}", model: big/x }`,
    ]);
    expect(text).toMatch(/name: x, datatype: FP32, shape: \[2\]/);
    expect(text).toMatch(/name: "y", datatype: FP32, shape: \[2\]/);

    expect(await failed('--server', url, '--model', 'other')).toMatchObject({
      code: 'NOT_FOUND',
      message: expect.stringMatching(/404: no other/),
    });
    expect(await failed('--server', url, '--model', 'bare')).toMatchObject({
      code: 'WRONG_USAGE',
      message: expect.stringMatching(/^bare at .* declares no inputs/),
    });
    expect(await failed('--server', url, '--model', 'odd')).toMatchObject({
      message: expect.stringMatching(/tensor x has the data type BF16/),
    });
    index = Array.from({ length: 65 }, (_, number) => ({ name: `m${number}` }));
    expect(await failed('--server', url)).toMatchObject({
      code: 'WRONG_USAGE',
      message: expect.stringMatching(/^65 models are too many .* Name those that you need: --model/),
    });
    expect(await failed('--server', url.replace('127', 'user:secret@127'))).toMatchObject({
      code: 'WRONG_USAGE',
      message: expect.stringMatching(/^(?!.*secret).*put a token into `server\.token`/),
    });
    index = [];
    expect(await failed('--server', url)).toMatchObject({
      code: 'NOT_FOUND',
      message: expect.stringMatching(/has no model that is ready/),
    });
    index = undefined;
    expect(await failed('--server', url)).toMatchObject({
      code: 'NOT_FOUND',
      message: expect.stringMatching(/does not list its models\. Name them: --model/),
    });
    expect(await failed('--server', 'grpc://127.0.0.1:1')).toMatchObject({
      code: 'NOT_FOUND',
      message: expect.stringMatching(/Name them: --model/),
    });
    expect(await failed('--model', 'small')).toMatchObject({ exitCode: 2, code: 'WRONG_USAGE' });
    expect(await failed('--server', 'http://127.0.0.1:1')).toMatchObject({ exitCode: 3, code: 'UNREACHABLE' });
    server.closeAllConnections();
    server.close();
  });
});

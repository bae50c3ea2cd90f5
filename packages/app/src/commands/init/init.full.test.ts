/** The first steps of a new user, with the profile measured. */
import { copyFileSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { PlanResult } from '@equipoise/core/model';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { documentOf, equipoise, serving, TestFolder } from '../../equipoise.test-support.js';

const folder = new TestFolder();
const run = (...args: string[]) => equipoise(folder.path, ...args);
const number = expect.any(Number);

afterAll(() => folder.remove());

describe('the written pipeline', () => {
  const pipeline = 'fresh/pipeline.yaml';
  const readJson = (path: string): unknown => JSON.parse(readFileSync(join(folder.path, path), 'utf8'));

  let next: readonly string[];

  beforeAll(async () => {
    ({ next } = documentOf(await run('init', 'fresh', '--json')) as { readonly next: readonly string[] });
  });

  it('is profiled, planned and served', async () => {
    const profiled = await run('profile', pipeline, '--quick', '--out', 'out/profile.json', '--json');
    expect(profiled.exitCode).toBe(0);
    expect(profiled.stderr).toMatch(/^profiling \d+\/\d+, \d+ s left: /);
    const point = {
      cpuCores: number,
      batchSize: number,
      p50Ms: number,
      p95Ms: number,
      p99Ms: number,
      meanMs: number,
      throughputRps: number,
      memoryBytes: number,
    };
    const profile = documentOf(profiled) as { readonly variants: { readonly points: readonly unknown[] }[] };
    expect(profile).toMatchObject({
      machine: { coresAvailable: number },
      variants: ['split', 'few-words', 'many-words'].map((variantId) => ({ variantId, loadMs: number })),
      notMeasured: [],
    });
    for (const { points } of profile.variants) expect(points[0]).toMatchObject(point);
    expect(readJson('out/profile.json')).toEqual(profile);

    const planned = await run('plan', pipeline, '--arrival-rps', '50', '--json');
    expect(planned.exitCode).toBe(0);
    const result = documentOf(planned) as PlanResult & { readonly kind: 'feasible' };
    // A profile made on a busy machine may rule out the more accurate variant.
    const classify = expect.stringMatching(/^(few|many)-words$/);
    expect(Object.values(result.plan.stages).map(([stage]) => stage?.variantId)).toEqual(['split', classify]);

    const { command, url } = await serving(folder.path, pipeline);
    const curl = /^curl -H 'content-type: (?<type>.+?)' --data '(?<body>.+?)' http:\/\/127.0.0.1:8080(?<path>\S+)$/;
    const { type = '', body = '', path = '' } = curl.exec(next.at(-1) ?? '')?.groups ?? {};
    const answer = await fetch(`${url}${path}`, { method: 'POST', headers: { 'content-type': type }, body });
    expect(await answer.json()).toMatchObject({ outputs: { language: ['en'] } });
    command.signal('SIGINT');
    expect((await command.ended).exitCode).toBe(0);
  }, 180_000);
});

describe('a pipeline for ONNX files', () => {
  const affine = fileURLToPath(new URL('../../../../adapter-embedded/src/fixtures/affine.onnx', import.meta.url));

  it('is taken as it is by all commands', async () => {
    for (const name of ['score-small.onnx', 'score-large.onnx']) copyFileSync(affine, join(folder.path, name));
    await run('init', 'own', '--from-onnx', 'score-small.onnx', 'score-large.onnx');
    const pipeline = 'own/pipeline.yaml';

    // One batch size, so that the profile takes a few seconds.
    const text = readFileSync(join(folder.path, pipeline), 'utf8');
    folder.write(pipeline, text.replace('      variants:', '      bounds: { batchSizes: [1] }\n      variants:'));
    expect((await run('profile', pipeline, '--quick', '--json')).exitCode).toBe(0);
    const planned = documentOf(await run('plan', pipeline, '--arrival-rps', '5', '--json'));
    expect(planned).toMatchObject({
      kind: 'feasible',
      plan: { stages: { score: [{ replicas: expect.any(Number) }] } },
    });

    folder.write('own/data/one.json', JSON.stringify({ features: [1, 2, 3] }));
    const labels = [1, 0].map((label) => ({ file: 'one.json', label }));
    folder.write('own/data/labels.json', JSON.stringify(labels));
    expect(documentOf(await run('evaluate', pipeline, '--json'))).toMatchObject({
      combinations: [{ variants: { score: 'score-small' }, accuracy: 0.5 }, { accuracy: 0.5 }],
    });

    const { command, url } = await serving(folder.path, pipeline);
    const body = readFileSync(join(folder.path, 'own/samples/random-1.json'), 'utf8');
    const answer = await fetch(`${url}/v1/pipelines/own/run`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body,
    });
    expect(await answer.json()).toMatchObject({ outputs: { scores: [expect.any(Number), expect.any(Number)] } });
    command.signal('SIGINT');
    expect((await command.ended).exitCode).toBe(0);
  }, 180_000);
});

import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { PlanResult } from '@equipoise/core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { documentOf, type Ended, equipoise, serving, TestFolder } from '../equipoise.test-support.js';

const folder = new TestFolder();
const run = (...args: string[]) => equipoise(folder.path, ...args);
const number = expect.any(Number);
const interval = [number, number];

afterAll(() => folder.remove());

describe('equipoise init', () => {
  let written: Ended;

  beforeAll(async () => {
    written = await run('init', 'mine', '--json');
  });

  it('writes a pipeline and says what comes next', () => {
    expect(written).toMatchObject({ exitCode: 0, stderr: '' });
    const { files } = documentOf(written) as { readonly files: readonly string[] };
    expect(documentOf(written)).toEqual({
      folder: join(folder.path, 'mine'),
      files,
      next: [
        'npx equipoise profile mine/pipeline.yaml --quick',
        'npx equipoise plan mine/pipeline.yaml --arrival-rps 50',
        'npx equipoise serve mine/pipeline.yaml',
      ],
    });
    expect(files).toContain('pipeline.yaml');
    for (const file of files) expect(existsSync(join(folder.path, 'mine', file))).toBe(true);
  });

  it('overwrites nothing', async () => {
    const ended = await run('init', 'mine', '--json');
    expect(ended.exitCode).toBe(2);
    expect(documentOf(ended)).toMatchObject({
      error: { code: 'WRONG_USAGE', message: expect.stringMatching(/mine is not empty; .*init mine-2/) },
    });
  });

  it('says what is wrong with a folder that is a file', async () => {
    folder.write('file', '');
    const ended = await run('init', 'file', '--json');
    expect(ended.exitCode).toBe(3);
    expect(documentOf(ended)).toMatchObject({
      error: { code: 'STORE_FAILED', message: expect.stringContaining('file') },
    });
  });
});

describe('the written pipeline', () => {
  const pipeline = 'fresh/pipeline.yaml';
  const readJson = (path: string): unknown => JSON.parse(readFileSync(join(folder.path, path), 'utf8'));

  beforeAll(async () => {
    await run('init', 'fresh');
  });

  it('is valid, is profiled, planned and served', async () => {
    expect(documentOf(await run('validate', pipeline, '--json'))).toEqual({ valid: true, problems: [] });

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
    expect(Object.values(result.plan.stages).map(([stage]) => stage?.variantId)).toEqual(['split', 'many-words']);

    const { command, url } = await serving(folder.path, pipeline);
    const sentence = { method: 'POST', headers: { 'content-type': 'text/plain' }, body: 'the cat is on the mat' };
    const answer = await fetch(`${url}/v1/pipelines/language/run`, sentence);
    expect(await answer.json()).toMatchObject({ outputs: { language: ['en'] } });
    command.signal('SIGINT');
    expect((await command.ended).exitCode).toBe(0);
  }, 60_000);

  it('is evaluated, and planned by what was measured', async () => {
    const evaluated = await run('evaluate', pipeline, '--data', 'fresh/data', '--out', 'fresh/accuracy.json', '--json');
    expect(evaluated.exitCode).toBe(0);
    expect(evaluated.stderr).toMatch(/^evaluating \d+\/20, \d+ s left: /);
    const table = {
      combinations: [
        {
          variants: { words: 'split', language: 'few-words' },
          accuracy: 0.75,
          confidence95: interval,
          samples: 20,
          measured: true,
        },
        {
          variants: { words: 'split', language: 'many-words' },
          accuracy: 1,
          confidence95: [1, 1],
          samples: 20,
          measured: true,
        },
      ],
    };
    expect(documentOf(evaluated)).toEqual(table);
    expect(readJson('fresh/accuracy.json')).toEqual(table);

    const text = readFileSync(join(folder.path, pipeline), 'utf8');
    folder.write('fresh/measured.yaml', text.replace('\nspec:\n', '\nspec:\n  accuracyTable: ./accuracy.json\n'));
    expect(documentOf(await run('validate', 'fresh/measured.yaml', '--json'))).toEqual({ valid: true, problems: [] });
  });
});

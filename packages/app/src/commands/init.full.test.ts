/** The first steps of a new user, with the profile measured. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { PlanResult } from '@equipoise/core/model';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { documentOf, equipoise, serving, TestFolder } from '../equipoise.test-support.js';

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
    expect(Object.values(result.plan.stages).map(([stage]) => stage?.variantId)).toEqual(['split', 'many-words']);

    const { command, url } = await serving(folder.path, pipeline);
    const curl = /^curl -H 'content-type: (?<type>.+?)' --data '(?<body>.+?)' http:\/\/127.0.0.1:8080(?<path>\S+)$/;
    const { type = '', body = '', path = '' } = curl.exec(next.at(-1) ?? '')?.groups ?? {};
    const answer = await fetch(`${url}${path}`, { method: 'POST', headers: { 'content-type': type }, body });
    expect(await answer.json()).toMatchObject({ outputs: { language: ['en'] } });
    command.signal('SIGINT');
    expect((await command.ended).exitCode).toBe(0);
  }, 60_000);
});

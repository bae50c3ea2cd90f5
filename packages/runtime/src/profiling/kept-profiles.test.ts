import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type PipelineSpec, type StageBounds, type StageSpec, stageId, variantId } from '@equipoise/core';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ProfileCache } from './profile-cache.js';
import type { ProfileRequest } from './profile-pipeline.js';
import {
  bench,
  boundsWith,
  linear,
  machine,
  pipeline,
  samples,
  stage,
  variant,
} from './profile-pipeline.test-support.js';
import { keptProfile } from './profile-verdict.js';

describe('kept profiles', () => {
  let baseDir: string;
  beforeEach(() => {
    baseDir = mkdtempSync(join(tmpdir(), 'equipoise-profile-'));
    writeFileSync(join(baseDir, 'a.js'), "import './near.js';");
    writeFileSync(join(baseDir, 'near.ts'), 'export {};');
    writeFileSync(join(baseDir, 'b.js'), '// b');
    writeFileSync(join(baseDir, 'model'), 'weights');
  });
  afterEach(() => rmSync(baseDir, { recursive: true }));

  const spec = (bounds?: StageBounds): PipelineSpec =>
    pipeline(
      [
        stage('a', [variant('small', { artifact: './model' }), variant('large', { cpuCores: [1, 2] })]),
        stage('b', [variant('v')], bounds === undefined ? {} : { bounds }),
      ],
      { baseDir },
    );
  const stages = { a: linear(5, 1), b: linear(1, 1) };
  const cacheOf = () => ProfileCache.of(spec());
  const relaunched = async (changed: PipelineSpec, over: Partial<ProfileRequest> = {}) => {
    const { profile, launcher } = bench(changed, stages);
    await profile({ cache: cacheOf(), ...over });
    return launcher.launches;
  };

  it('are fresh on the next run, which then starts nothing', async () => {
    const first = await bench(spec(), stages).profile({ cache: cacheOf() });
    expect(cacheOf().path).toBe(join(baseDir, '.equipoise', 'profiles', 'toy.json'));
    const again = bench(spec(), stages);
    expect(await again.profile({ cache: cacheOf() })).toEqual(first);
    expect(again.launcher.launches).toEqual([]);
    expect(await relaunched(spec(), { options: { quick: true, renew: true, stageId: stageId('b') } })).toContain(
      'b/v@1',
    );
  });

  it('go on where an interrupted run was', async () => {
    const interrupted = bench(spec(), { a: stages.a });
    await expect(interrupted.profile({ cache: cacheOf() })).rejects.toMatchObject({ code: 'MODULE_INVALID' });
    const resumed = bench(spec(), stages);
    const { variants } = await resumed.profile({ cache: cacheOf() });
    expect(variants.map(({ variantId: id }) => id)).toEqual(['small', 'large', 'v']);
    expect(resumed.launcher.launches).toEqual(['a/small@1', 'b/v@1']);
  });

  it('are measured again where the code, an import, the artifact, the machine, the inputs or the grid changed', async () => {
    await bench(spec(), stages).profile({ cache: cacheOf() });
    writeFileSync(join(baseDir, 'model'), 'other weights');
    // Behind the changed variant, stage b sees other inputs.
    expect(await relaunched(spec())).toEqual(['a/small@1', 'b/v@1']);
    writeFileSync(join(baseDir, 'near.ts'), 'export const changed = 1;');
    expect(await relaunched(spec())).toEqual(['a/small@1', 'a/large@1', 'a/large@2', 'b/v@1']);
    writeFileSync(join(baseDir, 'b.js'), '// changed');
    expect(await relaunched(spec())).toEqual(['a/small@1', 'b/v@1']);
    const [a, b] = spec().stages as [StageSpec, StageSpec];
    const tuned = { ...b, variants: [variant('v', { parameters: { threshold: 0.4 } })] };
    expect(await relaunched({ ...spec(), stages: [a, tuned] })).toEqual(['a/small@1', 'b/v@1']);
    expect(await relaunched(spec(), { samples: samples.slice(1) })).toHaveLength(4);
    expect(
      await relaunched(spec(), { samples: samples.slice(1), machine: { ...machine, nodeVersion: 'v22' } }),
    ).toHaveLength(4);
    const same = { samples: samples.slice(1), machine: { ...machine, nodeVersion: 'v22' } };
    expect(await relaunched(spec(boundsWith([1, 3])), same)).toEqual(['a/small@1', 'b/v@1']);
    expect(await relaunched(spec(boundsWith([1, 3])), { ...same, options: { quick: false } })).toHaveLength(4);
    expect(await relaunched(spec(boundsWith([1, 3])), same)).toEqual([]);
  });

  it('are judged with reasons', async () => {
    expect(keptProfile(spec(), cacheOf(), machine)).toMatchObject({
      kind: 'missing',
      reasons: ['stage a, variant small: not measured yet', expect.anything(), expect.anything()],
    });
    await bench(spec(), stages)
      .profile({ cache: cacheOf(), samples: [] })
      .catch(() => {});
    await bench(spec(), stages).profile({ cache: cacheOf() });
    const judged = keptProfile(spec(), cacheOf(), { ...machine, cpuModel: 'other' });
    expect(judged.kind).toBe('stale');
    expect(judged.reasons[0]).toBe(
      'stage a, variant small: the samples or a stage before it changed; it was measured with cpuModel test, here it is other',
    );
    expect(judged.profile.variants.map(({ variantId: id }) => id)).toEqual(['small', 'large', 'v'].map(variantId));
  });

  it('count as missing with a warning when the file is damaged', async () => {
    await bench(spec(), stages).profile({ cache: cacheOf() });
    const { path } = cacheOf();
    const text = readFileSync(path, 'utf8');
    for (const damaged of [
      text.slice(0, 200),
      '[]',
      '{"formatVersion": 1, "variants": [{}]}',
      text.replace('"formatVersion": 1', '"formatVersion": 2'),
      text.replace('"p50Ms"', '"x"'),
    ]) {
      writeFileSync(path, damaged);
      expect(cacheOf().read()).toEqual({ variants: [], warning: expect.stringContaining(path) });
    }
    expect(keptProfile(spec(), cacheOf(), machine)).toMatchObject({ kind: 'missing', warnings: [expect.anything()] });
    await bench(spec(), stages).profile({ cache: cacheOf() });
    expect(cacheOf().read().variants).toHaveLength(3);
  });
});

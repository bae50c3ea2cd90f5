import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type PipelineSpec, type ServiceCorrection, type StageSpec, stageId, variantId } from '@equipoise/core/model';
import { fitCorrections } from '@equipoise/core/plan';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { WorkProgress } from '../progress-meter.js';
import { ProfileCache } from './profile-cache.js';
import type { StageRuntime } from './profile-identity.js';
import type { ProfileRequest } from './profile-pipeline.js';
import {
  bench,
  boundsWith,
  CountedNeighbours,
  linear,
  machine,
  pipeline,
  rules,
  samples,
  stage,
  variant,
} from './profile-pipeline.test-support.js';
import { cachedProfile } from './profile-verdict.js';

/** Reason of a verdict if the measured samples are missing. */
const SAMPLES_ARE_GONE = /the samples or an earlier stage changed(; )?/;

const batch = { stageId: stageId('b'), variantId: variantId('v'), batchSize: 1, profiledMs: 2 };
const [fitted] = fitCorrections({
  segments: [Array.from({ length: 100 }, (_, i) => ({ ...batch, startedAtMs: 10 * i, ms: 3 + (i % 3) }))],
  usableCores: 1,
});
const correction = fitted?.correction as ServiceCorrection;

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

  const spec = (bounds?: StageSpec['bounds']): PipelineSpec =>
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

  it('keep a correction until they are measured again', async () => {
    await bench(spec(), stages).profile({ cache: cacheOf() });
    cacheOf().correct([{ stageId: stageId('b'), variantId: variantId('v'), correction }]);
    const corrected = () =>
      cachedProfile(spec(), cacheOf(), { rules, machine }).profile.variants.flatMap((profile) =>
        profile.correction === undefined ? [] : [[profile.variantId, profile.correction]],
      );
    expect(corrected()).toEqual([['v', correction]]);
    // Measuring another stage, or nothing, leaves it.
    await relaunched(spec(), { options: { quick: true, renew: true, stageId: stageId('a') } });
    expect(corrected()).toEqual([['v', correction]]);
    await relaunched(spec(), { options: { quick: true, renew: true, stageId: stageId('b') } });
    expect(corrected()).toEqual([]);
  });

  it('count as missing if a stored correction is damaged', async () => {
    await bench(spec(), stages).profile({ cache: cacheOf() });
    const whole = cacheOf().read().variants;
    for (const damage of [
      { spread: [[1], [1], [1]] },
      { contention: { value: null, halfWidth: 0 } },
      { usual: null },
    ]) {
      const damaged = { ...correction, ...damage } as unknown as ServiceCorrection;
      cacheOf().write(whole.map((profile) => ({ ...profile, correction: damaged })));
      expect(cacheOf().read()).toMatchObject({ variants: [], warning: expect.stringContaining('is not a profile') });
    }
  });

  it('go on where an interrupted run was', async () => {
    const interrupted = bench(spec(), { a: stages.a });
    await expect(interrupted.profile({ cache: cacheOf() })).rejects.toMatchObject({ code: 'MODULE_INVALID' });
    const resumed = bench(spec(), stages);
    const { variants } = await resumed.profile({ cache: cacheOf() });
    expect(variants.map(({ variantId: id }) => id)).toEqual(['small', 'large', 'v']);
    expect(resumed.launcher.launches).toEqual(['a/small@1', 'b/v@1']);
  });

  it('go on at the very point where an interrupted run was, with what it had measured', async () => {
    const whole = await bench(spec(), stages).profile();
    // Stage b fails at its fourth size. By then earlier points are on disk, as after a kill.
    const breaking = {
      ...stages,
      b: {
        serviceMs: (_: unknown, items: number) => {
          if (items === 8) throw new Error('killed');
          return 1 + items;
        },
      },
    };
    await expect(bench(spec(), breaking).profile({ cache: cacheOf() })).rejects.toThrow('killed');
    const { variants, unfinished } = cacheOf().read();
    expect(variants.map(({ variantId: id }) => id)).toEqual(['small', 'large']);
    expect(unfinished).toMatchObject([{ stageId: 'b', variantId: 'v', depth: 'quick' }]);
    expect(unfinished[0]?.points.map(({ batchSize }) => batchSize)).toEqual([1, 2, 4]);
    // Incomplete profiles are not used for plans.
    expect(cachedProfile(spec(), cacheOf(), { rules, machine }).kind).toBe('missing');

    const resumed = bench(spec(), stages);
    expect(await resumed.profile({ cache: cacheOf() })).toEqual(whole);
    const measuredSizes = resumed.launcher.batches
      .filter(({ replica }) => replica === 'b/v@1')
      .map(({ inputs }) => inputs.length);
    expect([...new Set(measuredSizes)]).toEqual([8, 16, 32]);
    expect(cacheOf().read().unfinished).toEqual([]);
  });

  it('do not go on from points of other conditions, of less depth, or where all is to be renewed', async () => {
    const interrupt = async (over: Partial<ProfileRequest> = {}) => {
      const first = bench(spec(), { a: { serviceMs: (_, items) => (items === 4 ? Number.NaN : 5 + items) } });
      const cutOff = { nowMs: () => (Number.isNaN(first.clock.atMs) ? cut() : first.clock.atMs) };
      await expect(first.profile({ cache: cacheOf(), clock: cutOff, ...over })).rejects.toThrow('cut off');
    };
    const firstSizes = async (over: Partial<ProfileRequest> = {}) => {
      const { profile, launcher } = bench(spec(), stages);
      await profile({ cache: cacheOf(), ...over });
      return launcher.batches.find(({ replica }) => replica === 'a/small@1')?.inputs.length;
    };
    await interrupt();
    expect(await firstSizes({ options: { quick: true, renew: true } })).toBe(1);
    rmSync(cacheOf().path);
    await interrupt();
    expect(await firstSizes({ options: { quick: false } })).toBe(1);
    rmSync(cacheOf().path);
    await interrupt();
    expect(await firstSizes({ machine: { ...machine, nodeVersion: 'v22' } })).toBe(1);
    rmSync(cacheOf().path);
    await interrupt();
    expect(await firstSizes()).toBe(4);
  });

  it('measure only what was added when the grid has grown, which alone counts as work', async () => {
    const neighbours = new CountedNeighbours();
    await bench(spec(boundsWith([1, 2])), stages).profile({ cache: cacheOf(), neighbours });
    const grown = bench(spec(boundsWith([1, 2, 3])), stages);
    const seen: WorkProgress[] = [];
    const onProgress = (progress: WorkProgress) => seen.push(progress);
    const { variants } = await grown.profile({ cache: cacheOf(), neighbours, onProgress });
    expect(seen.at(-1)).toMatchObject({ doneUnits: expect.closeTo(1), totalUnits: expect.closeTo(1) });
    expect(variants[2]?.points.map(({ batchSize }) => batchSize)).toEqual([1, 2, 3]);
    expect(
      new Set(grown.launcher.batches.filter(({ replica }) => replica === 'b/v@1').map(({ inputs }) => inputs.length)),
    ).toEqual(new Set([3]));
  });

  it('are stale where the latency target now allows sizes that were over it', async () => {
    const within = (latencyMs: number): PipelineSpec => ({ ...spec(), slo: { latencyMs, percentile: 99 } });
    await bench(within(20), stages).profile({ cache: cacheOf() });
    const judge = (latencyMs: number) => cachedProfile(within(latencyMs), cacheOf(), { rules, machine });
    writeFileSync(join(baseDir, 'unused'), '');
    const reasons = (latencyMs: number) =>
      judge(latencyMs).variants.flatMap((verdict) => (verdict.kind === 'stale' ? verdict.reasons : []));
    expect(reasons(20)).not.toContain('the latency target now allows batch sizes that exceeded it before');
    expect(reasons(15)).not.toContain('the latency target now allows batch sizes that exceeded it before');
    expect(reasons(400)).toContain('the latency target now allows batch sizes that exceeded it before');
  });

  it('know a file in a package by where the launcher finds it, and a packaged module by its description', async () => {
    const packaged: PipelineSpec = {
      ...spec(),
      stages: [stage('a', [variant('v', { artifact: 'npm:models/m.onnx' })], { module: 'npm:@scope/stages/a' })],
    };
    const [only] = packaged.stages as [StageSpec];
    const entry = {
      ...packaged,
      sources: [{ name: 'in', to: [only.id], tensors: [] }],
      edges: [],
      outputs: [{ from: only.id }],
    };
    const locate = (reference: string) => join(baseDir, reference.replace('npm:', '').replaceAll('/', '_'));
    writeFileSync(join(baseDir, 'models_m.onnx'), 'weights');
    writeFileSync(join(baseDir, '@scope_stages_package.json'), '{"version":"1.0.0"}');
    const { profile } = bench(entry, stages);
    await profile({ cache: cacheOf(), rules: { ...rules, locate } });
    const again = async () => {
      const { profile: run, launcher } = bench(entry, stages);
      await run({ cache: cacheOf(), rules: { ...rules, locate } });
      return launcher.launches.length;
    };
    expect(await again()).toBe(0);
    writeFileSync(join(baseDir, 'models_m.onnx'), 'other weights');
    expect(await again()).toBe(1);
    writeFileSync(join(baseDir, '@scope_stages_package.json'), '{"version":"1.0.1"}');
    expect(await again()).toBe(1);
    expect(await again()).toBe(0);
  });

  it('are measured again where the code, an import, the artifact, the machine, the inputs or the grid changed', async () => {
    await bench(spec(), stages).profile({ cache: cacheOf() });
    writeFileSync(join(baseDir, 'model'), 'other weights');
    // The changed variant gives stage b other inputs.
    expect(await relaunched(spec())).toEqual(['a/small@1', 'b/v@1']);
    writeFileSync(join(baseDir, 'near.ts'), 'export const changed = 1;');
    expect(await relaunched(spec())).toEqual(['a/small@1', 'a/large@1', 'a/large@2', 'b/v@1']);
    writeFileSync(join(baseDir, 'b.js'), '// changed');
    expect(await relaunched(spec())).toEqual(['a/small@1', 'b/v@1']);
    const [a, b] = spec().stages as [StageSpec, StageSpec];
    const tuned = { ...b, variants: [variant('v', { parameters: { threshold: 0.4 } })] };
    expect(await relaunched({ ...spec(), stages: [a, tuned] })).toEqual(['a/small@1', 'b/v@1']);
    const passed = spec().edges.map((edge) => ({ ...edge, inputs: [{ name: 'x', source: 'x' }] }));
    expect(await relaunched({ ...spec(), edges: passed })).toEqual(['a/small@1', 'b/v@1']);
    expect(await relaunched(spec(), { samples: samples.slice(1) })).toHaveLength(4);
    expect(
      await relaunched(spec(), { samples: samples.slice(1), machine: { ...machine, nodeVersion: 'v22' } }),
    ).toHaveLength(4);
    const same = { samples: samples.slice(1), machine: { ...machine, nodeVersion: 'v22' } };
    expect(await relaunched(spec(boundsWith([1, 3])), same)).toEqual(['a/small@1', 'b/v@1']);
    expect(await relaunched(spec(boundsWith([1, 3])), { ...same, options: { quick: false } })).toHaveLength(4);
    expect(await relaunched(spec(boundsWith([1, 3])), same)).toEqual([]);
  });

  it('are stale under another isolation or another Python, and those kept before either was written down', async () => {
    const runBy = (runtime: StageRuntime) => ({ rules: { ...rules, runtimeOf: () => runtime }, machine });
    const python = { isolation: 'process', pythonVersion: 'cpython 3.11.2' } as const;
    await bench(spec(), stages).profile({ cache: cacheOf(), rules: runBy(python).rules });
    const reasonsOf = (runtime: StageRuntime) =>
      cachedProfile(spec(), cacheOf(), runBy(runtime)).reasons.map((reason) => reason.replace(SAMPLES_ARE_GONE, ''));
    expect(reasonsOf(python)[0]).toBe('stage a, variant small: ');
    expect(reasonsOf({ ...python, pythonVersion: 'cpython 3.12.0' })[0]).toMatch(
      /small: it was measured with pythonVersion cpython 3\.11\.2, here it is cpython 3\.12\.0$/,
    );
    expect(reasonsOf({ isolation: 'thread' })[0]).toMatch(
      /small: it was measured with isolation process, here it is thread; .* pythonVersion cpython 3\.11\.2, here it is unknown$/,
    );
    const { path } = cacheOf();
    const document = JSON.parse(readFileSync(path, 'utf8')) as { variants: { identity: { runtime?: StageRuntime } }[] };
    for (const { identity } of document.variants) delete identity.runtime;
    writeFileSync(path, JSON.stringify(document));
    expect(reasonsOf({ isolation: 'thread' })[0]).toMatch(/it was measured with isolation unknown, here it is thread$/);
  });

  it('are judged with reasons', async () => {
    expect(cachedProfile(spec(), cacheOf(), { rules, machine })).toMatchObject({
      kind: 'missing',
      reasons: ['stage a, variant small: not measured yet', expect.anything(), expect.anything()],
    });
    await bench(spec(), stages)
      .profile({ cache: cacheOf(), samples: [] })
      .catch(() => {});
    await bench(spec(), stages).profile({ cache: cacheOf() });
    const judged = cachedProfile(spec(), cacheOf(), {
      rules,
      machine: { ...machine, cpuModel: 'other' },
    });
    expect(judged.kind).toBe('stale');
    expect(judged.reasons[0]).toBe(
      'stage a, variant small: the samples or an earlier stage changed; it was measured with cpuModel test, here it is other',
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
      '{"formatVersion": 2, "variants": [{}], "unfinished": []}',
      '{"formatVersion": 2, "variants": [], "unfinished": [{"stageId": "a"}]}',
      text.replace('"formatVersion": 2', '"formatVersion": 1'),
      text.replace('"p50Ms"', '"x"'),
    ]) {
      writeFileSync(path, damaged);
      expect(cacheOf().read()).toEqual({ variants: [], unfinished: [], warning: expect.stringContaining(path) });
    }
    expect(cachedProfile(spec(), cacheOf(), { rules, machine })).toMatchObject({
      kind: 'missing',
      warnings: [expect.anything()],
    });
    await bench(spec(), stages).profile({ cache: cacheOf() });
    expect(cacheOf().read().variants).toHaveLength(3);
  });
});

function cut(): never {
  throw new Error('cut off');
}

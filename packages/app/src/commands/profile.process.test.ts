import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { PipelineProfile } from '@equipoise/runtime';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { documentOf, endCommands, RunningCommand, syntheticPipeline, TestFolder } from '../equipoise.test-support.js';
import { equipoiseHere } from '../run-here.test-support.js';
import { ageText, profileTable } from './profile.js';

const folder = new TestFolder();
const MODEL = fileURLToPath(new URL('../../../adapter-embedded/src/fixtures/affine.onnx', import.meta.url));

const pipeline = (batchSizes: string) => `apiVersion: equipoise.dev/v1alpha1
kind: InferencePipeline
metadata: { name: affine }
spec:
  slo: { latencyMs: 400 }
  sources: [{ name: features, datatype: FP32, shape: [3], samples: ./samples }]
  stages:
    - name: score
      module: npm:@equipoise/adapter-onnx/stage
      bounds: { batchSizes: ${batchSizes} }
      variants: [{ name: only, artifact: ${MODEL}, accuracy: { value: 0.5 }, resources: { cpuCores: [1] } }]
`;

interface Kept {
  readonly variants: {
    measuredAtEpochMs: number;
    points: { batchSize: number; meanMs: number; meanUncertaintyFraction: number | null }[];
    identity: { machine: { cpuModel: string } };
  }[];
  readonly unfinished: { points: { batchSize: number }[] }[];
}

const KEPT = join(folder.path, '.equipoise', 'profiles', 'affine.json');
const kept = () => JSON.parse(readFileSync(KEPT, 'utf8')) as Kept;
const measuredSizes = () => (existsSync(KEPT) ? (kept().unfinished[0]?.points.length ?? 0) : 0);
const plan = (...args: string[]) =>
  equipoiseHere(folder.path, 'plan', 'two.yaml', '--arrival-rps', '5', '--no-verify', '--json', ...args);

beforeAll(() => {
  folder.write('two.yaml', pipeline('[1, 4]'));
  folder.write('many.yaml', pipeline('[1, 2, 3, 4]'));
  mkdirSync(join(folder.path, 'samples'));
  folder.write(join('samples', 'one.json'), JSON.stringify({ features: [1, 2, 3] }));
});

afterAll(() => folder.remove());

describe('equipoise profile', () => {
  it('measures an ONNX model on its samples and says so in JSON, in a file and in a report', async () => {
    const args = ['two.yaml', '--quick', '--json', '--out', 'profile.json', '--report', 'profile.html'];
    const ended = await equipoiseHere(folder.path, 'profile', ...args);
    expect(ended.exitCode, ended.stderr).toBe(0);
    const document = documentOf(ended) as Kept;
    expect(document).toMatchObject({
      machine: { onnxruntimeVersion: expect.any(String) },
      variants: [{ stageId: 'score', variantId: 'only', depth: 'quick', loadMs: expect.any(Number), fits: [{}] }],
      notMeasured: [],
    });
    for (const point of document.variants[0]?.points ?? [])
      expect(point).toMatchObject({ cpuCores: 1, endedBy: expect.stringMatching(/^(sure|time-cap)$/) });
    expect(document.variants[0]?.points.map(({ batchSize }) => batchSize)).toEqual([1, 4]);
    expect(JSON.parse(readFileSync(join(folder.path, 'profile.json'), 'utf8'))).toEqual(document);
    expect(readFileSync(join(folder.path, 'profile.html'), 'utf8')).toContain('Profile of affine');
  });

  it('says that there is nothing to measure where all profiles are written in the file', async () => {
    folder.write('written.yaml', syntheticPipeline({ name: 'written' }));
    const ended = await equipoiseHere(folder.path, 'profile', 'written.yaml');
    expect(ended).toMatchObject({ exitCode: 0, stderr: '' });
    expect(ended.stdout).toMatch(/^nothing to measure\ndetect\/small: not measured, /);
    expect(ended.stdout).not.toContain('saved in');
  });

  it('says since when it knows what it does not measure again', async () => {
    const known = await equipoiseHere(folder.path, 'profile', 'two.yaml', '--quick');
    expect(known).toMatchObject({ exitCode: 0, stderr: '' });
    const day = new Date(kept().variants[0]?.measuredAtEpochMs ?? 0).toISOString().slice(0, 10);
    expect(known.stdout).toMatch(
      new RegExp(
        `nothing was measured again: the profile of ${day} \\d\\d:\\d\\d UTC still holds; --force measures again`,
      ),
    );
  });

  it.each(['SIGINT', 'SIGTERM'] as const)('says at %s where it keeps what it has measured', async (signal) => {
    const command = new RunningCommand(folder.path, ['profile', 'many.yaml', '--quick', '--force', '--json']);
    await command.said(/profiling \d/);
    command.signal(signal);
    const ended = await command.ended;
    expect(ended).toMatchObject({ exitCode: null, signal });
    const error = { code: 'INTERRUPTED', message: expect.stringContaining('profiles/affine.json') };
    expect(documentOf(ended)).toMatchObject({ error });
  });

  it('keeps what it has measured when it is killed, and goes on from there', { timeout: 90_000 }, async () => {
    const command = new RunningCommand(folder.path, ['profile', 'many.yaml', '--quick', '--force']);
    await expect.poll(measuredSizes, { timeout: 60_000, interval: 20 }).toBeGreaterThan(0);
    command.signal('SIGKILL');
    expect((await command.ended).signal).toBe('SIGKILL');
    const [before] = kept().unfinished;
    expect(before).toBeDefined();
    const ended = await equipoiseHere(folder.path, 'profile', 'many.yaml', '--quick');
    expect(ended.exitCode, ended.stderr).toBe(0);
    expect(kept().unfinished).toEqual([]);
    expect(kept().variants[0]?.points.slice(0, before?.points.length)).toMatchObject(before?.points ?? []);
  });
});

describe('the table of a profile', () => {
  const figures = { meanMs: 10, p50Ms: 10, p95Ms: 12, p99Ms: 15, throughputRps: 100, batches: 400 };
  const point = (batchSize: number, meanUncertaintyFraction: number) => ({
    ...{ ...figures, cpuCores: 1, batchSize, busyNeighbours: 1, meanUncertaintyFraction, endedBy: 'time-cap' as const },
  });
  const tableOf = (...uncertainties: readonly number[]) => {
    const points = uncertainties.map((fraction, index) => point(2 ** index, fraction));
    const variant = { stageId: 'score', variantId: 'only', points, skipped: [], loadMs: 1 };
    return profileTable({ machine: {}, variants: [variant], notMeasured: [] } as unknown as PipelineProfile);
  };

  it('points out that means are not known well, with the worst of them', () => {
    expect(tableOf(0.02, 0.31, 0.12)).toMatch(
      /\nuncertain mean service time: score\/only, batch 2 on 1 core: ±31 %, and 1 more point: /,
    );
    expect(tableOf(0.02, 0.1)).not.toMatch(/uncertain/);
  });
});

describe('the age of a profile', () => {
  const variants = ['a', 'b'].map((stageId) => ({ stageId, measuredAtEpochMs: 0 }));
  const profile = { variants } as unknown as PipelineProfile;

  it('is that of the chosen stage, because others may be stale', () => {
    const measured = {
      variants: [{ ...variants[0], measuredAtEpochMs: 2 }, variants[1]],
    } as unknown as PipelineProfile;
    expect(ageText(measured, 1, 'a')).toEqual([]);
    expect(ageText(measured, 1)).toEqual([expect.stringMatching(/^1 of 2 variants not measured again/)]);
    expect(ageText(profile, 1, 'b')).toEqual([expect.stringMatching(/^nothing was measured again.* 1970-01-01 00:00/)]);
  });
});

describe('a roughly known profile', () => {
  it('is told of by plan: in a warning, in the document and, as far as the plan uses it, in the explanation', async () => {
    const document = kept();
    const points = document.variants[0]?.points ?? [];
    for (const each of points) each.meanUncertaintyFraction = 0;
    const [first, second] = points;
    if (first === undefined || second === undefined) throw new Error('two points were measured');
    Object.assign(first, { meanUncertaintyFraction: 0.58 });
    // JSON stores an infinite width as null.
    Object.assign(second, { meanUncertaintyFraction: null });
    writeFileSync(KEPT, JSON.stringify(document));
    const planned = await plan('--explain');
    const point = { stageId: 'score', variantId: 'only', cpuCores: 1 };
    expect(documentOf(planned)).toMatchObject({
      evidence: {
        uncertainPoints: [
          { ...point, batchSize: second.batchSize },
          { ...point, batchSize: first.batchSize, halfWidthFraction: 0.58 },
        ],
      },
    });
    const warned = `uncertain mean service time: score/only, batch ${second.batchSize} on 1 core: too few batches to tell, and 1 more point; \`equipoise profile two.yaml --force\` measures longer`;
    expect(planned.stderr.split(warned)).toHaveLength(2);
    const { stdout } = await equipoiseHere(folder.path, 'plan', 'two.yaml', '--arrival-rps', '5', '--explain');
    expect(stdout).toContain('Uncertain service times that the plan uses\n  score/only, batch 1 on 1 core: ±58 %');
  });
});

describe('a profile of another machine', () => {
  it('is refused by plan, and used at the factor that is asked for, which the evidence tells', async () => {
    const document = kept();
    for (const variant of document.variants) variant.identity.machine.cpuModel = 'Elsewhere 9000';
    writeFileSync(KEPT, JSON.stringify(document));
    const refused = await plan();
    expect(refused.exitCode).not.toBe(0);
    expect(documentOf(refused)).toMatchObject({
      error: { code: 'PROFILE_INVALID', message: expect.stringMatching(/Elsewhere 9000.*--profile-scale/) },
    });
    const scaled = await plan('--profile-scale', '1.5');
    expect(scaled.exitCode, scaled.stderr).toBe(0);
    expect(documentOf(scaled)).toMatchObject({
      kind: 'feasible',
      evidence: {
        scaledProfiles: [{ stageId: 'score', variantId: 'only', factor: 1.5, measuredOn: 'Elsewhere 9000' }],
      },
    });
  });

  it('is no reason for a factor when it is of this one', async () => {
    await equipoiseHere(folder.path, 'profile', 'two.yaml', '--quick');
    const ended = await plan('--profile-scale', '1.5');
    expect(ended.exitCode).toBe(2);
    expect(documentOf(ended)).toMatchObject({ error: { code: 'WRONG_USAGE' } });
    await endCommands();
  });
});

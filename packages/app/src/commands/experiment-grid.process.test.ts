/** `equipoise experiment` on a small grid. */
import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { documentOf, syntheticPipeline, TestFolder } from '../equipoise.test-support.js';
import { equipoiseHere } from '../run-here.test-support.js';

const folder = new TestFolder();

const GRID = `apiVersion: equipoise.dev/v1alpha1
kind: Experiment
metadata: { name: small }
spec:
  pipelines: [pipeline.yaml]
  loads:
    - { name: steady, arrivalRps: 20, durationS: 30 }
    - second.csv
  policies: [static-cheapest, ipa]
  seeds: [1, 2]
`;

const RESULTS = ['results.csv', 'results.json', 'report.html'] as const;
const experiment = (...args: string[]) => equipoiseHere(folder.path, 'experiment', ...args);
const pathOf = (out: string, ...names: string[]) => join(folder.path, out, ...names);
const cellsIn = (out: string) => readdirSync(pathOf(out, 'cells')).filter((file) => file.endsWith('.json'));
const filesOf = (out: string) => RESULTS.map((file) => readFileSync(pathOf(out, file), 'utf8'));

/** Runs the grid into `out`; returns its output and the written text files. */
async function grid(out: string, ...flags: string[]) {
  const ended = await experiment('grid.yaml', '--out', out, ...flags);
  expect(ended.stderr).not.toMatch(/error|warning/);
  expect(ended.exitCode).toBe(0);
  return { ...ended, files: filesOf(out) };
}

let first: Awaited<ReturnType<typeof grid>>;

beforeAll(async () => {
  folder.write('pipeline.yaml', syntheticPipeline());
  folder.write('second.csv', `requests\n${'20\n'.repeat(15)}`);
  folder.write('grid.yaml', GRID);
  first = await grid('once', '--threads', '1');
});

afterAll(() => folder.remove());

describe('equipoise experiment', () => {
  it('gives the same files from one thread and from two', async () => {
    expect((await grid('twice', '--threads', '2')).files).toEqual(first.files);
  });

  it('prints tables with intervals and differences, and keeps what a second run then finds', async () => {
    const second = await experiment('grid.yaml', '--out', 'once');
    expect(first.stdout).toMatch(/synthetic, steady\n.*│ within SLO % .*│ ipa +│ +100\.00 │/s);
    expect(first.stdout).toMatch(/synthetic, second\.csv: difference from static-cheapest, seed by seed/);
    expect(first.stdout).toMatch(/│ ipa +│ +0\.00 ± 0\.00 │ \+0\.1500 ± 0\.0000 \* │/);
    expect(first.stderr).toMatch(/experiment 0\/8: 8 simulations/);
    expect(second.stdout).toBe(first.stdout);
    expect(second.stderr).toBe('');
    expect(cellsIn('once')).toHaveLength(8);
  });

  it('prints one document with --json, each cell as simulate gives it', async () => {
    const { cells, means } = documentOf(await experiment('grid.yaml', '--out', 'once', '--json')) as {
      readonly cells: readonly Readonly<Record<string, unknown>>[];
      readonly means: readonly Readonly<Record<string, unknown>>[];
    };
    expect(means.map(({ load, policy, seeds }) => `${load} ${policy} ${seeds}`)).toEqual(
      ['steady', 'second.csv'].flatMap((load) => ['static-cheapest', 'ipa'].map((policy) => `${load} ${policy} 2`)),
    );
    expect(means[1]).toMatchObject({ difference: { pasMean: { mean: expect.closeTo(0.15) } } });
    const names = cells.map(({ load, policy, seed }) => `${load} ${policy} ${seed}`);
    expect(names).toEqual(
      ['steady', 'second.csv'].flatMap((load) =>
        ['static-cheapest', 'ipa'].flatMap((policy) => [1, 2].map((seed) => `${load} ${policy} ${seed}`)),
      ),
    );
    const simulate = ['simulate', 'pipeline.yaml', '--policy', 'ipa', '--load', 'second.csv', '--seed', '2', '--json'];
    const { elapsedMs: _, ...figures } = documentOf(await equipoiseHere(folder.path, ...simulate)) as {
      elapsedMs: number;
    };
    expect(cells.at(-1)).toMatchObject(figures);
    expect(cells.at(-1)?.['elapsedMs']).toBeGreaterThan(0);
  });

  it('writes a CSV that reads as a table, JSON without times, and a page without outside resources', () => {
    const [csv = '', json = '', page = ''] = first.files;
    const [head = '', ...rows] = csv.trimEnd().split('\n');
    expect(rows).toHaveLength(8);
    expect(new Set([head, ...rows].map((row) => row.split(',').length)).size).toBe(1);
    expect(head).toMatch(/^pipeline,load,policy,seed,platform,requests,.*stages\.detect\.waitMs\.mean/);
    expect(JSON.parse(json)).toMatchObject({ cells: expect.any(Array) });
    expect(json + head).not.toContain('elapsedMs');
    expect(page).toContain('<svg');
    expect(page).not.toMatch(/<link|<img|\ssrc=|https?:\/\/(?!www\.w3\.org)/);
    expect(page).toMatch(/difference from static-cheapest/i);
  });

  it('names cells without a plan and goes on with the others', async () => {
    folder.write('poor.yaml', syntheticPipeline({ name: 'poor', cpuCores: 1 }));
    const short = GRID.replace('[1, 2]', '[1]').replace('    - second.csv\n', '');
    folder.write('both.yaml', short.replace('[pipeline.yaml]', '[pipeline.yaml, poor.yaml]'));
    const ended = await experiment('both.yaml', '--json');
    expect(ended.exitCode).toBe(0);
    const { cells, infeasible } = documentOf(ended) as Record<string, readonly Record<string, unknown>[]>;
    expect(cells).toHaveLength(2);
    expect(infeasible).toHaveLength(2);
    expect(infeasible?.[0]).toEqual({
      ...{ pipeline: 'poor', load: 'steady', policy: 'static-cheapest', seed: 1, platform: 'simulator' },
      message: expect.stringContaining('the budget is too small'),
    });
    const text = await experiment('both.yaml');
    expect(text.stdout).toMatch(/poor, steady, ipa, seed 1: No plan carries/);
    const page = readFileSync(pathOf('.equipoise/experiments/small', 'report.html'), 'utf8');
    expect(page).toContain('Without a first plan');
    folder.write('none.yaml', short.replace('[pipeline.yaml]', '[poor.yaml]'));
    expect((await experiment('none.yaml', '--out', 'none')).exitCode).toBe(1);
  });

  it('tells what is wrong in a grid, and where', async () => {
    folder.write('grid-bad.yaml', GRID.replace('ipa]', 'ipaa]').replace('seeds:', 'seed:'));
    const ended = await experiment('grid-bad.yaml');
    expect(ended.exitCode).toBe(1);
    expect(ended.stderr).toMatch(
      /^error INVALID_PIPELINE: grid-bad\.yaml has 2 problems:\n.*spec\.policies\[1\].*of the file that the message names\./s,
    );
  });

  it('simulates nothing for a pipeline without profiles, and says where results cannot be kept', async () => {
    folder.write('bare.yaml', syntheticPipeline().replace(/profile: \[.*?\]/s, ''));
    folder.write('grid-bare.yaml', GRID.replace('[pipeline.yaml]', '[pipeline.yaml, bare.yaml]'));
    const bare = await experiment('grid-bare.yaml', '--json', '--out', 'bare');
    expect(bare.exitCode).toBe(1);
    expect(documentOf(bare)).toMatchObject({
      error: { code: expect.stringMatching(/PROFILE_MISSING|INVALID_PIPELINE/) },
    });
    expect(existsSync(pathOf('bare'))).toBe(false);
    const file = await experiment('grid.yaml', '--json', '--out', 'grid.yaml');
    expect(file.exitCode).toBe(3);
    expect(documentOf(file)).toMatchObject({
      error: { code: 'STORE_FAILED', message: expect.stringContaining('--out') },
    });
    rmSync(pathOf('once', 'results.json'));
    expect((await grid('once')).files).toEqual(first.files);
  });
});

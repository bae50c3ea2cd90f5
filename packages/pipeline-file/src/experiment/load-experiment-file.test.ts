import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadExperimentFile } from './load-experiment-file.js';

const folder = mkdtempSync(join(tmpdir(), 'equipoise-grid-'));
const path = join(folder, 'grid.yaml');
const head = 'apiVersion: equipoise.dev/v1alpha1\nkind: Experiment\nmetadata: { name: policies }\nspec:\n';

function loaded(spec: string) {
  writeFileSync(path, head + spec);
  return loadExperimentFile(path, ['bursty', 'steady-low']);
}

async function problemsOf(spec: string) {
  const result = await loaded(spec);
  if (result.kind === 'valid') throw new Error('nothing is wrong with it');
  return result.problems;
}

beforeAll(() => {
  for (const file of ['pipeline.yaml', 'a.yaml', 'b.yaml', 'monday.csv']) writeFileSync(join(folder, file), '');
});

afterAll(() => rmSync(folder, { recursive: true }));

describe('loadExperimentFile', () => {
  it('fills in what is left out', async () => {
    const result = await loaded('  pipelines: [pipeline.yaml]\n  loads: [bursty]\n');
    expect(result).toMatchObject({
      kind: 'valid',
      grid: {
        ...{
          name: 'policies',
          baseDir: folder,
          pipelines: ['pipeline.yaml'],
          loads: [{ name: 'bursty', load: 'bursty' }],
        },
        policies: ['equipoise', 'ipa', 'fa2-low', 'fa2-high', 'rim', 'static-cheapest', 'static-best'],
        ...{ seeds: [1, 2, 3], forecaster: 'smoothed-rate', excludeFirstS: 0 },
      },
    });
  });

  it('takes loads by rate, seeds as a list and conditions for all', async () => {
    const result = await loaded(`  pipelines: [a.yaml, b.yaml]
  loads: [{ name: high, arrivalRps: 30, durationS: 60, arrivals: gamma:2 }]
  policies: [equipoise, ipa]
  seeds: [4, 9]
  forecaster: window-maxima
  excludeFirstS: 20
  loadMs: 2000
`);
    expect(result).toMatchObject({
      kind: 'valid',
      grid: {
        loads: [{ name: 'high', arrivalRps: 30, durationS: 60, arrivals: 'gamma:2' }],
        ...{ policies: ['equipoise', 'ipa'], seeds: [4, 9] },
        ...{ forecaster: 'window-maxima', excludeFirstS: 20, loadMs: 2000 },
      },
    });
  });

  it('tells everything that is wrong, where it stands, with what was meant', async () => {
    const problems = await problemsOf(`  pipelines: [a.yaml, a.yaml]
  loads: [{ arrivalRps: 3 }, { load: bursty, durationS: 5 }]
  policies: [equipose]
  seed: 1
`);
    expect(problems.map(({ line, path: at }) => [line, at])).toEqual([
      [5, 'spec.pipelines[1]'],
      [6, 'spec.loads[0]'],
      [6, 'spec.loads[1]'],
      [7, 'spec.policies[0]'],
      [8, 'spec.seed'],
    ]);
    expect(problems[3]).toMatchObject({ column: 14, suggestion: 'equipoise' });
    expect(problems[4]).toMatchObject({ suggestion: 'seeds' });
  });

  it('names loads by what they are made of where they have no name', async () => {
    const result = await loaded(`  pipelines: [a.yaml]
  loads: [bursty, { load: bursty, arrivals: uniform }, monday.csv, { arrivalRps: 3, durationS: 5 }]
`);
    const names = ['bursty', 'bursty uniform', 'monday.csv', 'poisson 3 rps 5 s'];
    expect(result).toMatchObject({ grid: { loads: names.map((name) => ({ name })) } });
  });

  it('tells loads of the same name, and files and loads that are not there', async () => {
    const problems = await problemsOf(`  pipelines: [c.yaml]
  loads:
    - bursty
    - { load: bursty }
    - burst
    - { load: tuesday.csv }
`);
    expect(problems).toMatchObject([
      { line: 5, column: 15, path: 'spec.pipelines[0]', message: expect.stringContaining('c.yaml') },
      { line: 8, column: 7, path: 'spec.loads[1]', message: expect.stringContaining('spec.loads[0]; add name') },
      { line: 9, path: 'spec.loads[2]', suggestion: 'bursty', message: expect.stringContaining('steady-low') },
      { line: 10, path: 'spec.loads[3].load', message: expect.stringContaining('tuesday.csv') },
    ]);
  });

  it('takes a seed once', async () => {
    const problems = await problemsOf('  pipelines: [a.yaml]\n  loads: [bursty]\n  seeds: [4, 5, 4]\n');
    expect(problems).toMatchObject([{ line: 7, column: 17, path: 'spec.seeds[2]' }]);
  });

  it('names a file that is not there', async () => {
    await expect(loadExperimentFile(join(folder, 'gone.yaml'), [])).rejects.toMatchObject({ code: 'FILE_NOT_FOUND' });
  });
});

/** `equipoise experiment` is stopped by a signal and resumes. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { documentOf, equipoise, RunningCommand, syntheticPipeline, TestFolder } from '../equipoise.test-support.js';

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
const experiment = (...args: string[]) => equipoise(folder.path, 'experiment', ...args);
const pathOf = (out: string, ...names: string[]) => join(folder.path, out, ...names);
const cellsIn = (out: string) => readdirSync(pathOf(out, 'cells')).filter((file) => file.endsWith('.json'));
const filesOf = (out: string) => RESULTS.map((file) => readFileSync(pathOf(out, file), 'utf8'));

/** Runs the grid into `out`; returns the written text files. */
async function resultsOf(out: string, ...flags: string[]) {
  const ended = await experiment('grid.yaml', '--out', out, ...flags);
  expect(ended.stderr).not.toMatch(/error|warning/);
  expect(ended.exitCode).toBe(0);
  return filesOf(out);
}

let once: readonly string[];

beforeAll(async () => {
  folder.write('pipeline.yaml', syntheticPipeline());
  folder.write('second.csv', `requests\n${'20\n'.repeat(15)}`);
  folder.write('grid.yaml', GRID);
  once = await resultsOf('once', '--threads', '1');
});

afterAll(() => folder.remove());

describe('the process of equipoise experiment', () => {
  it('goes on where it was killed, and ends with the same files', async () => {
    const running = new RunningCommand(folder.path, ['experiment', 'grid.yaml', '--out', 'killed', '--threads', '2']);
    await running.said(/experiment 0\/8/);
    while (!existsSync(pathOf('killed', 'cells')) || cellsIn('killed').length === 0) await new Promise(setImmediate);
    running.signal('SIGKILL');
    expect((await running.ended).signal).toBe('SIGKILL');
    const kept = cellsIn('killed').length;
    expect(kept).toBeLessThan(8);
    expect(existsSync(pathOf('killed', 'results.json'))).toBe(false);
    const again = await experiment('grid.yaml', '--out', 'killed', '--threads', '1');
    expect(again.stderr).toContain(`experiment 0/${8 - kept}`);
    expect(again.stderr).toContain(`finished before: ${kept}`);
    expect(filesOf('killed')).toEqual(once);
  });

  it('stops at Ctrl-C with what to do, and keeps what is finished', async () => {
    const running = new RunningCommand(folder.path, ['experiment', 'grid.yaml', '--out', 'stopped', '--json']);
    await running.said(/experiment 0\/8/);
    running.signal('SIGINT');
    const ended = await running.ended;
    expect(ended).toMatchObject({ exitCode: 3, signal: null });
    expect(documentOf(ended)).toMatchObject({ error: { code: 'INTERRUPTED' } });
    expect(await resultsOf('stopped', '--threads', '1')).toEqual(once);
  });
});

/** `equipoise experiment` with served cells, raw requests and a user's policy. */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { documentOf, equipoise, RunningCommand, syntheticPipeline, TestFolder } from '../equipoise.test-support.js';
import { equipoiseHere } from '../run-here.test-support.js';

const folder = new TestFolder();
const EXAMPLE = fileURLToPath(new URL('../../../../examples/policies/twice-the-mean.mjs', import.meta.url));

const GRID = `apiVersion: equipoise.dev/v1alpha1
kind: Experiment
metadata: { name: on }
spec:
  pipelines: [pipeline.yaml]
  loads: [{ name: steady, arrivalRps: 20, durationS: 2 }]
  policies: [static-best]
  seeds: [1]
`;

const experiment = (...args: string[]) => equipoise(folder.path, 'experiment', ...args);
const rawFiles = () => readdirSync(join(folder.path, 'raw')).sort();

interface Cell {
  readonly policy: string;
  readonly platform: string;
  readonly requests: number;
  readonly completed: number;
  readonly serverP99Ms?: number;
}

beforeAll(() => {
  folder.write('pipeline.yaml', syntheticPipeline({ latencyMs: 20_000 }));
  folder.write('grid.yaml', GRID);
  mkdirSync(join(folder.path, 'policies'));
});

afterAll(() => folder.remove());

const policyFile = (text: string): string => {
  writeFileSync(join(folder.path, 'policies', 'mine.mjs'), text);
  return 'policies/mine.mjs';
};

describe('equipoise experiment --on', () => {
  it('runs each cell in the simulator and on this machine, with the same requests and a line for each', async () => {
    const args = ['grid.yaml', '--on', 'simulator,embedded', '--policy', EXAMPLE, '--raw', 'raw', '--json'];
    const ended = await experiment(...args);
    expect(ended.exitCode, ended.stderr).toBe(0);
    const { cells } = documentOf(ended) as { readonly cells: readonly Cell[] };
    expect(cells.map(({ policy, platform }) => `${policy} ${platform}`)).toEqual([
      'static-best simulator',
      'twice-the-mean simulator',
      'static-best embedded',
      'twice-the-mean embedded',
    ]);
    expect(new Set(cells.map(({ requests }) => requests)).size).toBe(1);
    expect(cells.every(({ requests, completed }) => requests > 0 && completed === requests)).toBe(true);
    expect(cells.map(({ serverP99Ms }) => serverP99Ms !== undefined)).toEqual([false, false, true, true]);
    const schedules = rawFiles().map((file) => {
      const [head, ...rows] = readFileSync(join(folder.path, 'raw', file), 'utf8')
        .trimEnd()
        .split('\n');
      expect(head).toBe('scheduled_ms,started_ms,latency_ms,outcome,accuracy');
      return rows.map((row) => row.split(',')[0]).join(' ');
    });
    expect(schedules).toHaveLength(4);
    expect(new Set(schedules).size).toBe(1);
    expect(readdirSync(join(folder.path, '.equipoise')).filter((name) => name.includes('.db'))).toEqual([]);
    const again = await experiment(...args);
    expect(again.stderr).toBe('');
    expect(documentOf(again)).toMatchObject({ cells });
    const page = readFileSync(join(folder.path, '.equipoise/experiments/on/report.html'), 'utf8');
    expect(page).toContain('Compared with the simulator');
    const text = await experiment(...args.filter((arg) => arg !== '--json'));
    expect(text.stdout).toMatch(/steady: difference from the simulator, seed by seed.*│ static-best +│ embedded │/s);
  });

  it('ends with what a policy did wrong on this machine, and its cell', async () => {
    const file = policyFile(
      "export default { name: 'mine', intervalMs: 1000, begin: () => ({ atMs }) => { if (atMs > 0) throw new Error('no idea');" +
        " return { detect: { variant: 'small', cores: 1, batch: 1, replicas: 1 }, classify: { variant: 'only', cores: 1, batch: 1, replicas: 1 } }; } };",
    );
    const ended = await experiment('grid.yaml', '--on', 'embedded', '--policy', file, '--json', '--out', 'wrong');
    expect(ended.exitCode, ended.stderr).toBe(2);
    expect(documentOf(ended)).toMatchObject({
      error: {
        code: 'POLICY_FAILED',
        message: expect.stringMatching(/steady, mine, seed 1, embedded: .*threw: no idea/),
      },
    });
  });

  it('stops at Ctrl-C while it serves, and keeps what is finished', async () => {
    folder.write('long.yaml', GRID.replace('durationS: 2', 'durationS: 600'));
    const args = ['experiment', 'long.yaml', '--on', 'embedded', '--out', 'stopped', '--json'];
    const running = new RunningCommand(folder.path, args);
    await running.said(/experiment 0\/603, .* left: seconds: synthetic, steady, static-best, seed 1, embedded/);
    running.signal('SIGINT');
    const ended = await running.ended;
    expect(ended).toMatchObject({ exitCode: 3, signal: null });
    expect(documentOf(ended)).toMatchObject({ error: { code: 'INTERRUPTED' } });
  });

  it.each([
    ['--on', 'moon', 'Expected names separated by commas'],
    ['--on', 'simulator,simulator', 'each once'],
    ['--policy', 'nowhere.mjs', 'the policy cannot be loaded'],
  ])('refuses %s %s', async (flag, value, message) => {
    const ended = await equipoiseHere(folder.path, 'experiment', 'grid.yaml', flag, value);
    expect(ended).toMatchObject({ exitCode: 2, stderr: expect.stringContaining(message) });
  });

  it('refuses a policy with a name that is taken, and a grid that can only be simulated', async () => {
    const here = (...args: string[]) => equipoiseHere(folder.path, 'experiment', ...args);
    const taken = await here('grid.yaml', '--policy', policyFile("export default { name: 'ipa', begin() {} };"));
    expect(taken).toMatchObject({ exitCode: 2, stderr: expect.stringContaining('another policy has the name ipa') });
    const onCluster = await here('grid.yaml', '--on', 'simulator,cluster', '--policy', EXAMPLE);
    expect(onCluster).toMatchObject({ exitCode: 2, stderr: expect.stringContaining('simulator and embedded') });
    folder.write('simulated.yaml', `${GRID}  loadMs: 5\n`);
    const simulated = await here('simulated.yaml', '--on', 'embedded');
    expect(simulated).toMatchObject({ exitCode: 2, stderr: expect.stringContaining('loadMs can only be simulated') });
  });
});

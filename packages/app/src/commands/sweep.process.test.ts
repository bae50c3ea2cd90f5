/** `equipoise sweep` gives the same bytes for any number of threads, and after an interruption. */
import { readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { documentOf, syntheticPipeline, TestFolder } from '../equipoise.test-support.js';
import { equipoiseHere } from '../run-here.test-support.js';
import type { SweepResults } from '../sweep/sweep-results.js';

const folder = new TestFolder();
const FLAGS = ['--axis', 'arrival-rps=10,60', '--axis', 'profile-factor=1,1.4', '--axis', 'routers=1,2'];
const FILES = ['points.csv', 'cells.csv', 'results.json', 'report.html'] as const;

const run = (...args: string[]) => equipoiseHere(folder.path, ...args);
const sweep = (...flags: string[]) => run('sweep', 'pipeline.yaml', '--duration-s', '20', ...flags);
const pathOf = (out: string, file: string) => join(folder.path, out, file);
const filesOf = (out: string) => FILES.map((file) => readFileSync(pathOf(out, file), 'utf8'));

async function filesAfter(out: string, ...flags: string[]): Promise<readonly string[]> {
  const { exitCode, stderr } = await sweep('--plan', 'plan.json', ...FLAGS, '--seeds', '2', '--out', out, ...flags);
  expect({ exitCode, stderr }).toMatchObject({ exitCode: 0, stderr: expect.not.stringMatching(/error|warning/) });
  return filesOf(out);
}

beforeAll(async () => {
  folder.write('pipeline.yaml', syntheticPipeline());
  await run('plan', 'pipeline.yaml', '--arrival-rps', '40', '--no-verify', '--out', 'plan.json');
  await run('plan', 'pipeline.yaml', '--arrival-rps', '60', '--no-verify', '--frontier', '--out', 'front.json');
});

afterAll(() => folder.remove());

describe('sweep', () => {
  it('gives the same bytes with one and two threads, and where it goes on after an interruption', async () => {
    const one = await filesAfter('one', '--threads', '1');
    expect(await filesAfter('two', '--threads', '2')).toEqual(one);
    // An interruption leaves some lines and the start of another.
    const kept = readFileSync(pathOf('one', 'cells.jsonl'), 'utf8');
    const lines = kept.split('\n');
    truncateSync(pathOf('one', 'cells.jsonl'), kept.indexOf(lines[5] ?? '') + 100);
    writeFileSync(pathOf('one', 'results.json'), '');
    const again = await sweep(...['--plan', 'plan.json', ...FLAGS, '--seeds', '2', '--out', 'one']);
    expect(again.stderr).toContain('sweep 0/11');
    expect(again.stderr).toContain('finished before: 5');
    expect(filesOf('one')).toEqual(one);
    expect((await sweep(...['--plan', 'plan.json', ...FLAGS, '--seeds', '2', '--out', 'one'])).stderr).toBe('');
  });

  it('has one point per combination, with intervals and a verdict', async () => {
    const results = documentOf(
      await sweep('--plan', 'plan.json', ...FLAGS, '--seeds', '2', '--out', 'two', '--json'),
    ) as SweepResults;
    expect(results.points).toHaveLength(8);
    const figuresAt = (arrivalRps: number, profileFactor: number, routers: number) =>
      results.points.find(
        ({ at }) => at.arrivalRps === arrivalRps && at.profileFactor === profileFactor && at.routers === routers,
      )?.figures;
    const [calm, slow, split] = [figuresAt(10, 1, 1), figuresAt(10, 1.4, 1), figuresAt(60, 1, 2)];
    expect(slow?.latencyMs.p50.mean).toBeGreaterThan(1.2 * (calm?.latencyMs.p50.mean ?? 0));
    expect(calm?.sloAttainmentFraction.low).toBeLessThan(1);
    // Each router needs a replica of its own, and each has fewer requests to share it.
    expect(split?.cpuCoresMean.mean).toBeGreaterThan(figuresAt(60, 1, 1)?.cpuCoresMean.mean ?? Number.NaN);
    expect(split?.goodputRps.mean).toBeGreaterThan(0);
  });

  it('simulates a point as simulate does', async () => {
    const load = ['--arrival-rps', '60', '--duration-s', '20', '--seed', '2'];
    const alone = await run('simulate', 'pipeline.yaml', '--plan', 'plan.json', ...load, '--json');
    const swept = await sweep(
      '--plan',
      'plan.json',
      ...load.filter((_, i) => i < 2 || i > 3),
      '--seeds',
      '1',
      '--json',
    );
    const [{ figures } = { figures: undefined }] = (documentOf(swept) as SweepResults).points;
    const { sloAttainmentFraction, costPerHourMean } = documentOf(alone) as Record<string, number>;
    expect(figures).toMatchObject({
      sloAttainmentFraction: { mean: sloAttainmentFraction },
      costPerHourMean: { mean: costPerHourMean },
    });
  });

  it('compares the plans of a frontier, and names the best ones', async () => {
    const swept = await sweep('--plan', 'front.json', '--arrival-rps', '60', '--out', 'front');
    expect(swept.exitCode).toBe(0);
    expect(swept.stdout).toMatch(/front\.json#1 [\s\S]*front\.json#2 /);
    expect(swept.stdout).toMatch(/cheapest that meets the SLO: front\.json#\d/);
  });

  it('says no where a policy has no plan at any point', async () => {
    const flags = ['--policy', 'equipoise', '--arrival-rps', '10', '--axis', 'budget-cores=0.1', '--seeds', '1'];
    const none = await sweep(...flags, '--out', 'none');
    expect(none.exitCode).toBe(1);
    expect(none.stdout).toContain('the budget is too small');
  });

  it.each([
    [['--plan', 'plan.json'], 'Name a load'],
    [['--arrival-rps', '10'], 'Say what to simulate: --plan'],
    [['--plan', 'plan.json', '--axis', 'load-ms=1,2', '--arrival-rps', '10'], 'use --policy in place of --plan'],
    [['--plan', 'plan.json', '--axis', 'arrival-rps=1', '--arrival-rps', '10'], 'leave out --arrival-rps'],
    [['--plan', 'plan.json', '--axis', 'slo-ms=1', '--axis', 'slo-ms=2', '--arrival-rps', '1'], 'given twice'],
    [['--plan', 'none.json', '--arrival-rps', '10'], 'plan not found'],
    [['--plan', 'pipeline.yaml', '--arrival-rps', '10'], 'is not JSON'],
    [['--plan', 'plan.json', '--arrival-rps', '10', '--exclude-first-s', '20'], 'less than the 20 s of the load'],
    [['--plan', 'plan.json', '--axis', 'slo-ms=1..9/900', '--axis', 'arrival-rps=1..2/900'], 'at most 100000'],
    [['--plan', 'plan.json', '--arrival-rps', '10', '--seeds', '0'], 'whole number from 1 to 1000'],
  ])('refuses %o', async (flags, message) => {
    const refused = await sweep(...flags);
    expect(refused.stderr).toContain(message);
    expect([2, 3]).toContain(refused.exitCode);
  });
});

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { documentOf, syntheticPipeline, TestFolder } from '../equipoise.test-support.js';
import { equipoiseHere } from '../run-here.test-support.js';

const folder = new TestFolder();
const command = (...args: string[]) => equipoiseHere(folder.path, ...args);
const simulate = (...args: string[]) => command('simulate', 'pipeline.yaml', ...args);
const steady = ['--arrival-rps', '20', '--duration-s', '60'];

/** Figures of `simulate --json` without `elapsedMs`. */
async function figures(...args: string[]) {
  const ended = await simulate('--json', ...args);
  expect(ended.exitCode).toBe(0);
  const { elapsedMs, ...rest } = documentOf(ended) as Readonly<Record<string, unknown>>;
  expect(elapsedMs).toBeGreaterThan(0);
  return rest;
}

const number = expect.any(Number);
const latencies = { mean: number, p50: number, p95: number, p99: number, p999: number, max: number };
const stage = {
  waitMs: { mean: number, p99: number },
  serviceMs: { mean: number, p99: number },
  ...{ batchSizeMean: number, loadFactor: number, busyFraction: number },
};
const shape = {
  ...{ requests: number, completed: number, dropped: {}, failed: 0, latencyMs: latencies },
  ...{ sloAttainmentFraction: number, goodputRps: number, pasMean: number, pasGoodput: number },
  ...{ cpuCoresMean: number, costPerHourMean: number, stages: { detect: stage, classify: stage } },
};

beforeAll(async () => {
  folder.write('pipeline.yaml', syntheticPipeline());
  folder.write('second.csv', 'requests\n20\n20\n20\n');
  folder.write('plan.json', (await command('plan', 'pipeline.yaml', '--arrival-rps', '20', '--json')).stdout);
});

afterAll(() => folder.remove());

describe('equipoise simulate', () => {
  it.each(['simulate', 'sweep'])('%s refuses a plan with cores for which no variant was profiled', async (name) => {
    const { plan } = JSON.parse(readFileSync(join(folder.path, 'plan.json'), 'utf8'));
    plan.stages.detect[0].resources.cpuCores = 7;
    folder.write('seven.json', JSON.stringify({ plan }));
    const { exitCode, stderr } = await command(name, 'pipeline.yaml', '--plan', 'seven.json', ...steady);
    expect([exitCode, stderr]).toEqual([
      1,
      expect.stringMatching(/PROFILE_MISSING.*: seven\.json, stage detect: the variant \w+ has no profile for 7 cores/),
    ]);
  });

  it('simulates a plan for several routers with as many routers, whose shares may be uneven', async () => {
    const flags = ['--arrival-rps', '60', '--budget-cores', '8', '--routers', '2', '--out', 'two.json'];
    expect((await command('plan', 'pipeline.yaml', ...flags)).exitCode).toBe(0);
    const load = ['--arrival-rps', '60', '--duration-s', '100'];
    const [even, uneven, one] = await Promise.all([
      figures('--plan', 'two.json', ...load),
      figures('--plan', 'two.json', ...load, '--uneven', '0.2'),
      figures('--plan', 'two.json', ...load, '--routers', '1'),
    ]);
    expect(even).toMatchObject({ requests: uneven?.['requests'], cpuCoresMean: one?.['cpuCoresMean'] });
    expect(uneven).not.toEqual(even);
    for (const run of [even, uneven]) expect(run?.['sloAttainmentFraction']).toBeGreaterThanOrEqual(0.99);
    const alone = await simulate('--plan', 'plan.json', ...steady, '--uneven', '0.2');
    expect(alone).toMatchObject({ exitCode: 2, stderr: expect.stringContaining('add --routers') });
  });

  it('simulates a saved plan: the same figures for the same seed, others for another', async () => {
    const [first, again, other] = await Promise.all(
      ['7', '7', '8'].map((seed) => figures('--plan', 'plan.json', ...steady, '--seed', seed)),
    );
    expect(first).toEqual({ ...shape, decisions: 0 });
    expect(first).toMatchObject({ sloAttainmentFraction: 1, cpuCoresMean: expect.closeTo(2, 1) });
    expect(first?.['pasMean']).toBeCloseTo(0.4);
    expect(again).toEqual(first);
    expect(other).not.toEqual(first);
  });

  it.each([
    ['a plan', ['--plan', 'plan.json', ...steady]],
    ['the control loop', ['--policy', 'equipoise', ...steady]],
    ['a shipped load', ['--plan', 'plan.json', '--load', 'bursty']],
  ])('prints the same bytes for the same seed, up to elapsedMs on its last line: %s', async (_, args) => {
    const printed = await Promise.all([1, 2].map(() => simulate('--json', ...args, '--seed', '7')));
    const [first, again] = printed.map(({ stdout }) => /^([\s\S]*) {2}"elapsedMs": [\d.]+\n\}\n$/.exec(stdout)?.[1]);
    expect(first).toMatch(/"decisions": \d+,\n$/);
    expect(again).toBe(first);
  });

  it('has intervals over several seeds, and the figures of each seed', async () => {
    const flags = ['--plan', 'plan.json', ...steady];
    const both = documentOf(await simulate('--json', ...flags, '--seed', '4', '--seeds', '2')) as Record<
      string,
      unknown
    >;
    const alone = await Promise.all(['4', '5'].map((seed) => figures(...flags, '--seed', seed)));
    expect(both).toMatchObject({ seeds: [4, 5], verdict: expect.any(String), runs: alone });
    expect(both['figures']).toMatchObject({ latencyMs: { p99: { mean: number, low: number, high: number } } });
    const text = await simulate(...flags, '--seeds', '2');
    expect(text.stdout).toMatch(
      /2 seeds: SLO of 200 ms (met|inconclusive)\n[\s\S]*│ latency p99, ms +│ +[\d.]+ │ +[\d.–]+ │/,
    );
    expect((await simulate(...flags, '--seeds', '0')).stderr).toContain('a whole number from 1 to 1000');
  });

  it('takes a load file, an SLO and a budget', async () => {
    const missed = await figures('--plan', 'plan.json', '--load', 'second.csv', '--slo-ms', '10');
    expect(missed).toMatchObject({ requests: 60, sloAttainmentFraction: 0, goodputRps: 0 });
    const poor = ['--budget-cores', '2', '--arrival-rps', '100', '--duration-s', '30'];
    expect((await figures('--policy', 'equipoise', ...poor))['pasMean']).toBeCloseTo(0.25, 1);
  });

  it('joins the parts of several sources, and plans for the requests that begin', async () => {
    const source = (name: string, more = '') => `{ name: ${name}, datatype: BYTES, shape: [1], to: detect${more} }`;
    const sources = `sources: [${source('letter')}, ${source('scan', ', onMissing: partial')}]`;
    folder.write(
      'mail.yaml',
      syntheticPipeline({ name: 'mail', spec: `${sources}\n  sourceJoin: { maxWaitMs: 500 }` }),
    );
    const flags = ['--source', 'letter=missing:0.1', '--source', 'scan=late:0.5@900', '--arrival-rps', '20'];
    const planned = await command('plan', 'mail.yaml', ...flags, '--json');
    folder.write('mail.json', planned.stdout);
    const { arrivalRps, sourceShares } = documentOf(planned) as {
      arrivalRps: number;
      sourceShares: Record<string, number>;
    };
    expect(arrivalRps).toBeCloseTo(18, 0);
    expect(sourceShares).toMatchObject({ letter: 1, scan: expect.closeTo(0.5, 1) });
    const simulated = ['simulate', 'mail.yaml', '--plan', 'mail.json', ...flags, '--duration-s', '60'];
    const { requests, sources: counts } = documentOf(await command(...simulated, '--json')) as {
      requests: number;
      sources: Record<string, Record<string, number>>;
    };
    const { letter, scan } = counts as { letter: Record<string, number>; scan: Record<string, number> };
    expect(letter['joined']).toBe(requests);
    expect((scan['joined'] ?? 0) + (scan['missing'] ?? 0)).toBe(requests);
    expect(scan['late']).toBeGreaterThan(0);
    expect((await command(...simulated)).stdout).toMatch(/parts of scan: \d+ joined, \d+ missing, /);
    const unknown = await command(...simulated, '--source', 'fax=missing:1', '--json');
    expect(documentOf(unknown)).toMatchObject({
      error: { code: 'WRONG_USAGE', message: 'There is no source fax; the sources are letter, scan.' },
    });
    const single = await simulate('--plan', 'plan.json', ...steady, '--keys', '3', '--json');
    expect(single.exitCode).toBe(2);
  });

  it('tells people what happened, with a sketch of the latencies, and the progress on stderr', async () => {
    const ended = await simulate('--plan', 'plan.json', ...steady);
    expect(ended.exitCode).toBe(0);
    expect(ended.stdout).toMatch(/poisson 20 rps 60 s: \d+ requests, \d+ completed, none dropped/);
    expect(ended.stdout).toMatch(/ms [▁▂▃▄▅▆▇█]{48} .*logarithmic/);
    expect(ended.stdout).toMatch(/100\.00 % within the SLO of 200 ms/);
    expect(ended.stdout).toMatch(/│ detect +│/);
    expect(ended.stderr).toMatch(/simulate \d+\/60, .* left/);
  });

  it.each([
    [['--arrival-rps', '20', '--duration-s', '60'], 2, 'WRONG_USAGE', '--plan P.json'],
    [['--policy', 'equipoise'], 2, 'WRONG_USAGE', '--arrival-rps N --duration-s T'],
    [['--policy', 'equipose', ...steady], 2, 'WRONG_USAGE', 'equipoise'],
    [['--policy', 'ipa', '--plan', 'plan.json', ...steady], 2, 'WRONG_USAGE', 'cannot be used with'],
    [['--plan', 'gone.json', ...steady], 3, 'FILE_NOT_FOUND', 'plan not found'],
    [['--policy', 'equipoise', '--budget-cores', '1', ...steady], 1, 'INFEASIBLE', 'the budget is too small'],
  ])('refuses %j', async (flags, exitCode, code, message) => {
    const ended = await simulate('--json', ...flags);
    expect(ended.exitCode).toBe(exitCode);
    expect(documentOf(ended)).toMatchObject({ error: { code, message: expect.stringContaining(message) } });
  });
});

/** Dominance, foreign policies, and the small version of the benchmark as a process. */
import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadOwnPolicy } from '../../packages/app/src/experiment/load-own-policy.js';
import { ownPolicy } from '../../packages/core/src/control/baselines/own-policy.js';
import { readQuestion } from './bench-question.js';
import { type CellFigures, QuestionBench } from './cell.js';
import type { RunOutcome } from './cell-process.js';
import { type BenchRun, benchCells, benchRuns } from './cells.js';
import { compared } from './dominance.js';
import { cellResults, judgment } from './judgment.js';
import { decidingFiles, inputsDigest, KeptRuns } from './kept-runs.js';
import { benchLoads } from './loads.js';
import { benchPolicies, isOnGround } from './policies.js';
import { questionOf } from './questions.js';
import { benchReport, tookText } from './report.js';
import { nameOfPolicy, runAll } from './run-all.js';

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url));
const EXAMPLE = here('../../examples/policies/twice-the-mean.mjs');
const folder = mkdtempSync(join(tmpdir(), 'pipebench-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const figures = (attainmentFraction: number, accuracy: number, cpuCores: number): CellFigures => ({
  ...{ attainmentFraction, accuracy, cpuCores },
  ...{ requests: 100, p99Ms: 10, droppedFraction: 0, changes: 1 },
});
/** Five seeds with a little noise. */
const runs = (attainment: number, accuracy: number, cores: number): readonly CellFigures[] =>
  [0, 1, 2, 3, 4].map((i) => figures(attainment, accuracy + i * 1e-4, cores + i * 0.01));

describe('dominance', () => {
  it.each([
    { what: 'cheaper, else equal', one: runs(1, 0.8, 4), other: runs(1, 0.8, 5), better: ['cost'], dominates: true },
    {
      what: 'better in all',
      one: runs(1, 0.9, 4),
      other: runs(0.9, 0.8, 5),
      better: ['attainment', 'accuracy', 'cost'],
      dominates: true,
    },
    {
      what: 'cheaper, less accurate',
      one: runs(1, 0.7, 4),
      other: runs(1, 0.8, 5),
      better: ['cost'],
      dominates: false,
    },
    {
      what: 'cheaper, negligibly less accurate',
      one: runs(1, 0.7997, 4),
      other: runs(1, 0.8, 5),
      better: ['cost'],
      dominates: true,
    },
    { what: 'equal', one: runs(1, 0.8, 4), other: runs(1, 0.8, 4), better: [], dominates: false },
    {
      what: 'cheaper by chance',
      one: [4, 4, 4, 4, 4].map((n) => figures(1, 0.8, n)),
      other: [3, 5, 4, 3.5, 4.9].map((n) => figures(1, 0.8, n)),
      better: [],
      dominates: false,
    },
    {
      what: 'cheaper by less than the margin',
      one: runs(1, 0.8, 4),
      other: runs(1, 0.8, 4.01),
      better: [],
      dominates: false,
    },
    {
      what: 'cheaper, and too noisy to be no worse in attainment',
      one: [1, 0.99, 1, 0.995, 1].map((attained) => figures(attained, 0.8, 4)),
      other: [0.99, 1, 1, 1, 0.995].map((attained) => figures(attained, 0.8, 5)),
      better: ['cost'],
      dominates: false,
    },
    {
      what: 'too few seeds',
      one: runs(1, 0.8, 4).slice(1),
      other: runs(1, 0.8, 5).slice(1),
      better: [],
      dominates: false,
    },
  ])('$what', ({ one, other, better, dominates }) => {
    expect(compared(one, other)).toMatchObject({ better, dominates });
  });
});

describe('judgment', () => {
  const cell = { pipeline: 'video', goal: 'weights', load: 'bursty' } as const;
  const outcomesOf = (policy: string, all: readonly CellFigures[]): (readonly [BenchRun, RunOutcome])[] =>
    all.map((each, i) => [
      { ...cell, policy, foreign: false, seed: i + 1 },
      { kind: 'simulated', figures: each },
    ]);
  const results = cellResults(
    [
      ...outcomesOf('equipoise', runs(1, 0.8, 5)),
      ...outcomesOf('ipa', runs(1, 0.8, 4)),
      ...outcomesOf('static-peak', runs(1, 0.8, 9)),
      ...outcomesOf('mine.mjs', runs(1, 0.9, 4)),
      [
        { ...cell, policy: 'rim', foreign: false, seed: 1 },
        { kind: 'no-plan', message: 'too small' },
      ],
    ],
    (policy) => (policy === 'mine.mjs' ? 'mine' : policy),
  );
  const outcome = { made: 'here', took: 'no time.', seeds: 5, skipped: [], results };

  it('lists every policy that dominates ours, and whether on its own ground', () => {
    const { dominations, scores, conclusive } = judgment(results);
    expect(dominations.map(({ policy, onItsGround }) => [policy, onItsGround])).toEqual([
      ['ipa', true],
      ['mine', false],
    ]);
    expect(scores.find(({ policy }) => policy === 'static-peak')).toMatchObject({
      dominatedByOurs: 1,
      dominatesOurs: 0,
    });
    expect(scores.find(({ policy }) => policy === 'rim')).toMatchObject({ cells: 0 });
    expect(conclusive).toBe(true);
  });

  it('says it in the report, which omits no cell and no policy', () => {
    const { text, html } = benchReport(outcome);
    expect(text).toContain('On its own published ground, a policy dominates ours in 1 of 1 cells.');
    expect(text).toContain('Not tested on their own ground: fa2-low, fa2-high, rim, inferline-like, proteus-like.');
    expect(text).toMatch(/^\| rim \| 0 \| 0 \| 0 \| 0 \| not tested \|$/m);
    expect(text).toMatch(/video, weights, bursty \| ipa \| yes \| cost \|/);
    expect(text).toMatch(/video, weights, bursty \| mine \| no \| accuracy, cost \|/);
    expect(text).toContain('rim: too small');
    expect(html).toContain('<svg');
    for (const { name, leavesOut } of benchPolicies) {
      expect(text).toContain(`| ${name} |`);
      expect(text).toContain(leavesOut);
    }
  });

  it('says so if no policy dominates ours, and gives no verdict with too few seeds', () => {
    const without = results.map((each) => ({
      ...each,
      policies: each.policies.filter(({ policy }) => !['ipa', 'mine'].includes(policy)),
    }));
    const { text } = benchReport({ ...outcome, results: without });
    expect(text).toContain('No policy was tested on its own published ground. No policy dominates ours in any cell.');
    expect(text).not.toContain('No policy dominates ours on its own');
    const few = results.map((each) => ({
      ...each,
      policies: each.policies.map((p) => ({ ...p, runs: p.runs.slice(0, 3) })),
    }));
    expect(benchReport({ ...outcome, results: few }).text).toContain('No verdict');
  });

  it('gives no verdict if ours did not run, and then names no policy as better', () => {
    const alone = results.map((each) => ({
      ...each,
      policies: each.policies.filter(({ policy }) => policy === 'mine'),
    }));
    const { text, judged } = benchReport({ ...outcome, results: alone });
    expect(judged).toMatchObject({ dominations: [], conclusive: false });
    expect(text).toContain('**No verdict: equipoise did not run.');
    expect(text).not.toContain('## Each policy against ours');
    expect(text).not.toContain('## Policies');
    const withRim = results.map((each) => ({
      ...each,
      policies: each.policies.filter(({ policy }) => ['mine', 'rim'].includes(policy)),
    }));
    const explained = benchReport({ ...outcome, results: withRim }).text;
    expect(explained).toContain('| rim | RIM (Hu');
    expect(explained).not.toContain('| ipa |');
    expect(text).toMatch(/^\| mine \| 100.00 \| 90.02 \|/m);
  });

  it('counts runs, processes and seeds, and says short times in seconds', () => {
    expect(tookText(1, 20, { s: 1.2, workers: 1 })).toBe('1 of 20 runs took 1 second with 1 process.');
    expect(tookText(20, 20, { s: 972, workers: 2 })).toBe('20 of 20 runs took 16.2 minutes with 2 processes.');
    expect(benchReport({ ...outcome, seeds: 1 }).text).toContain('no time. 1 seed.');
  });

  it('has plot titles that fit', () => {
    const cells = benchCells({ quick: false, published: true, only: [] });
    const { html } = benchReport({
      ...outcome,
      results: cells.flatMap((each) => results.map((result) => ({ ...result, cell: each }))),
    });
    const titles = [...html.matchAll(/<text class="title"[^>]*>([^<]*)/g)].map(([, title = '']) => title);
    expect(titles.length).toBeGreaterThan(0);
    expect(titles.filter((title) => title.includes('…'))).toEqual([]);
  });

  it('has at least one cell on the published ground of each policy with a publication', () => {
    const cells = benchCells({ quick: false, published: true, only: [] });
    for (const policy of benchPolicies.filter(({ ground }) => ground.length > 0))
      expect(
        cells.some((each) => isOnGround(policy, each)),
        policy.name,
      ).toBe(true);
    expect(benchPolicies.length).toBeGreaterThanOrEqual(9);
  });
});

it('runs again what changed code decides', () => {
  const files = decidingFiles(undefined);
  for (const name of [
    'pipebench/policies.ts',
    'pipebench/cell-process.ts',
    'pipeline-file/src/index.ts',
    'load-own-policy.ts',
  ])
    expect(
      files.some((file) => file.endsWith(name)),
      name,
    ).toBe(true);
});

describe('a foreign policy', () => {
  let bench: QuestionBench;
  const load = benchLoads().find(({ name }) => name === 'short-step');
  beforeAll(async () => {
    bench = new QuestionBench(await questionOf({ pipeline: 'detect-and-classify', goal: 'min-cost' }, ''));
  });
  let files = 0;
  const written = (text: string): string => {
    const path = join(folder, `policy-${files++}.mjs`);
    writeFileSync(path, text);
    return path;
  };
  const policyFile = (answer: string): string =>
    written(`export default { name: 'mine', begin: () => () => { ${answer} } };`);
  const run = async (path: string): Promise<CellFigures> => {
    if (load === undefined) throw new Error('no load');
    return bench.observing(ownPolicy(await loadOwnPolicy(path)), load, { seed: 1 });
  };
  const detect = "{ variant: 'small', cores: 1, batch: 1, replicas: 2 }";
  const classify = "{ variant: 'fast', cores: 1, batch: 1, replicas: 2 }";

  it('is run as the guide shows it', async () => {
    expect((await run(EXAMPLE)).attainmentFraction).toBeGreaterThan(0.5);
    const guide = readFileSync(here('../../docs/guide/pipebench.md'), 'utf8');
    for (const flag of ['policy', 'against', 'only', 'seeds', 'workers', 'limit-s', 'quick'])
      expect(guide).toContain(`\`--${flag}`);
  });

  it('gives the figures of its plan', async () => {
    const { cpuCores, attainmentFraction } = await run(
      policyFile(`return { detect: ${detect}, classify: ${classify} };`),
    );
    expect(cpuCores).toBeCloseTo(4);
    expect(attainmentFraction).toBe(1);
  });

  it.each([
    ["throw new Error('no idea')", 'policy "mine" at 0 s threw: no idea'],
    ['return Promise.resolve({})', 'returned a promise. Answer at once'],
    ['return 7', 'must return one entry per stage, got 7'],
    [`return { detect: ${detect} }`, 'stage "classify" needs { variant, cores, batch, replicas }, got undefined'],
    [
      `return { detect: ${detect}, classify: ${classify}, more: 1 }`,
      'stage "more" is unknown. The stages are detect, classify',
    ],
    [
      `return { detect: { ...${detect}, variant: 'huge' }, classify: ${classify} }`,
      'variant huge is unknown. Choose one of small, medium, large',
    ],
    [`return { detect: { ...${detect}, cores: 3 }, classify: ${classify} }`, 'cores 3 is unknown. Choose one of 1'],
    [`return { detect: { ...${detect}, batch: 3 }, classify: ${classify} }`, 'batch 3 is unknown. Choose one of 1, 4'],
    [
      `return { detect: { ...${detect}, replicas: 0.5 }, classify: ${classify} }`,
      'replicas must be a whole number from 1 to 128, got 0.5',
    ],
    [
      `return { detect: { ...${detect}, replicas: 99 }, classify: ${classify} }`,
      'wants 101 cores; the budget is 10. Return fewer replicas',
    ],
  ])('is refused for %s', async (answer, message) => {
    await expect(run(policyFile(answer))).rejects.toThrow(message);
  });

  it.each([
    ['export const begin = 1;', 'must export its policy as `default`'],
    ["export default { name: 'No Spaces', begin() {} };", '`name` must be'],
    ["export default { name: 'mine' };", '`begin` must be a function'],
    ["export default { name: 'mine', intervalMs: 1, begin() {} };", '`intervalMs` must be from 1000'],
    ['this is not a module', 'the policy cannot be loaded'],
    ["export default { name: 'mine', begin: () => 1 };", 'begin must return a function, got number'],
  ])('is refused as %s', async (text, message) => {
    await expect(run(written(text))).rejects.toThrow(message);
  });
});

describe('the command', () => {
  const bench = (...args: readonly string[]) =>
    new Promise<{ code: number; stdout: string; stderr: string }>((resolve) => {
      const command = ['--import', 'tsx', '--conditions=equipoise-source', here('run.ts'), ...args];
      const env = { ...process.env, NODE_OPTIONS: '', EQUIPOISE_REFERENCE_DIR: '' };
      execFile(process.execPath, command, { cwd: here('../..'), env }, (error, stdout, stderr) =>
        resolve({ code: error === null ? 0 : Number(error.code ?? 1), stdout, stderr }),
      );
    });

  it('runs the small version with a foreign policy, and keeps its runs', async () => {
    const { code, stdout, stderr } = await bench('--quick', '--workers', '1', '--policy', EXAMPLE);
    expect(code).toBe(0);
    expect(stderr).toMatch(/13\/13|13 of 13/);
    const ran = stderr.split('\n').filter((line) => / seed \d+: /.test(line));
    expect(ran[0] ?? 'kept from before').toMatch(/twice-the-mean, seed 1: [\d.]+ % within SLO|kept from before/);
    expect(stdout).toContain('No verdict: a judgment needs at least 5 seeds.');
    expect(stdout).toContain('| twice-the-mean | 1 |');
    const [cell] = benchCells({ quick: true, published: false, only: [] });
    const [run] = benchRuns(cell === undefined ? [] : [cell], { seeds: [1], foreign: [], against: ['equipoise'] });
    if (run === undefined) throw new Error('no run');
    expect(new KeptRuns(inputsDigest(undefined)).find(run)?.kind).toBe('simulated');
    expect(new KeptRuns('other input').find(run)).toBeUndefined();
  });

  it('ends a policy that hangs while it decides, and names it', async () => {
    const policy = join(folder, 'hangs.mjs');
    writeFileSync(policy, "export default { name: 'hangs', begin: () => () => { for (;;); } };");
    const cells = benchCells({ quick: true, published: false, only: [] });
    const [run] = cells.map((cell) => ({ ...cell, policy, foreign: true, seed: 1 }));
    if (run === undefined) throw new Error('no run');
    await expect(runAll([run], { workers: 1, limitMs: 1000, onRun: () => {} })).rejects.toThrow(
      /hangs\.mjs: detect-and-classify, .*, seed 1: no answer within 1 s/,
    );
  });

  it('ends a policy that hangs or exits while it loads, and names it', async () => {
    const path = join(folder, 'loads.mjs');
    writeFileSync(path, 'for (;;);');
    await expect(nameOfPolicy(path, 500)).rejects.toThrow('loads.mjs: the policy did not load within 0.5 s');
    writeFileSync(path, 'process.exit(3);');
    await expect(nameOfPolicy(path, 60_000)).rejects.toThrow('loads.mjs: its process ended with exit code 3');
  });

  it.each([
    [['--seeds', '0'], '--seeds must be a whole number from 1 to 20, got 0'],
    [['--policy', 'nowhere.mjs'], '--policy: there is no file'],
    [['--only', 'nothing'], 'matches no cell. The cells are: '],
    [['--against', 'ipa'], 'give --policy FILE, too'],
    [['--policy', EXAMPLE, '--against', 'mine'], '--against mine: choose from equipoise, ipa,'],
    [['--fast'], 'Unknown option'],
    [new Array<string>(9).fill(`--policy=${EXAMPLE}`), 'at most 8 times, got 9'],
  ])('refuses %j', (args, message) => {
    expect(() => readQuestion(args, {})).toThrow(message);
  });

  it('runs foreign policies first, and all others or those that are asked for', () => {
    const orderOf = (...args: readonly string[]) => {
      const { cells, policies, against } = readQuestion(['--policy', EXAMPLE, '--only', 'shelf-day', ...args], {});
      return benchRuns(cells, { seeds: [1], foreign: policies, against }).map(({ policy, load, foreign }) =>
        foreign ? load : policy,
      );
    };
    const own = ['steady-low', 'bursty', 'bursty', 'fluctuating'];
    expect(orderOf().slice(0, 6)).toEqual([...own, 'equipoise', 'ipa']);
    expect(orderOf()).toHaveLength(4 * (1 + benchPolicies.length));
    expect(orderOf('--against', 'rim', '--against', 'equipoise').slice(4, 7)).toEqual([
      'equipoise',
      'rim',
      'equipoise',
    ]);
    expect(orderOf('--against', 'none')).toEqual(own);
  });

  it('publishes complete results only, and names skipped pipelines', () => {
    expect(readQuestion([], {})).toMatchObject({ isComplete: false, skipped: ['video', 'audio-qa', 'sum-qa'] });
    expect(readQuestion(['--only', 'shelf-day'], {}).cells).toHaveLength(4);
  });
});

/** `explain` and `replay` on decisions of a served pipeline. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { readDecisionLog } from '@equipoise/runtime';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { documentOf, serving, syntheticPipeline, TestFolder } from '../equipoise.test-support.js';
import { replayInThreads } from '../replay/replay-in-threads.js';
import { equipoiseHere } from '../run-here.test-support.js';

const folder = new TestFolder();
const LOG = '.equipoise/state.db';
const explain = (...args: string[]) => equipoiseHere(folder.path, 'explain', ...args);
const replay = (...args: string[]) => equipoiseHere(folder.path, 'replay', ...args);

/** Number of decisions of a server. */
async function decisionsSoFar(url: string): Promise<number> {
  const page = await (await fetch(`${url}/metrics`)).text();
  return [...page.matchAll(/equipoise_decisions_total\{[^}]*\} (\d+)/g)].reduce((sum, [, n]) => sum + Number(n), 0);
}

beforeAll(async () => {
  folder.write(
    'pipeline.yaml',
    syntheticPipeline({ spec: 'control: { intervalMs: 1000, fastIntervalMs: 500, canary: false }', cpuCores: 4 }),
  );
  const { command, url } = await serving(folder.path, 'pipeline.yaml', '--arrival-rps', '1');
  for (let request = 0; request < 20; request++)
    await fetch(`${url}/v1/pipelines/synthetic/run`, { method: 'POST', body: 'hi' });
  while ((await decisionsSoFar(url)) < 4) await setTimeout(100);
  command.signal('SIGTERM');
  expect(await command.ended).toMatchObject({ exitCode: 0 });
}, 120_000);

afterAll(() => folder.remove());

describe('equipoise explain', () => {
  it('tells the newest decision: what it saw, chose and passed over, and what came of it', async () => {
    const { exitCode, stdout } = await explain();
    expect(exitCode).toBe(0);
    for (const words of [/^Decision \d+ of synthetic at 20/, /\nSeen\nload: /, /\nChosen\n/, /\nOutcome\n/])
      expect(stdout).toMatch(words);
    expect(stdout).toMatch(/by the slow loop, mode auto/);
    expect(stdout).toMatch(/detect runs (small|large)\n {2}next better, /);
  });

  it('tells the one that is asked for, as a document too', async () => {
    const { stdout } = await explain('1');
    expect(stdout).toMatch(/^Decision 1 of synthetic .*, by the start, mode auto/);
    expect(stdout).toMatch(/apply: the first plan, by equipoise/);
    expect(stdout).toMatch(/detect: nothing → (small|large) \(\d+ replicas?\)/);
    expect(stdout).toMatch(/in force after \d+ ms/);
    const document = documentOf(await explain('1', '--json'));
    expect(document).toMatchObject({
      pipeline: 'synthetic',
      record: {
        ...{ id: 1, trigger: 'start', mode: 'auto', decision: { kind: 'apply' }, outcome: { kind: 'applied' } },
        observed: { windowMs: expect.any(Number) },
      },
    });
  });

  it.each([
    [['99999'], 2, 'has no decision 99999; it has those of synthetic (newest '],
    [['first'], 2, 'whole number above 0'],
    [['--log', 'none.db'], 3, 'There is no log none.db'],
    [['--pipeline', 'other'], 2, 'no decisions of a pipeline other; it has those of synthetic (newest '],
  ])('refuses %j', async (args, exitCode, words) => {
    const ended = await explain(...args);
    expect(ended).toMatchObject({ exitCode, stdout: '' });
    expect(ended.stderr).toContain(words);
  });
});

describe('equipoise replay', () => {
  it('comes to the same decisions, from the state file and from what it exports', async () => {
    const [stored, exported] = [await replay(LOG, '--out', 'log.jsonl', '--json'), await replay('log.jsonl', '--json')];
    expect(stored).toMatchObject({ exitCode: 0 });
    const document = documentOf(stored) as { readonly same: number; readonly different: readonly unknown[] };
    expect(document).toMatchObject({ different: [], notReplayable: { 'the first plan': 1 } });
    expect(document.same).toBeGreaterThanOrEqual(3);
    expect(documentOf(exported)).toEqual(document);
    const { stdout } = await replay(LOG, '--newest', '2');
    expect(stdout).toBe('2 decisions: 2 the same, 0 different\n');
  });

  it('says with exit code 1 what comes out otherwise', async () => {
    const lines = readFileSync(join(folder.path, 'log.jsonl'), 'utf8').trimEnd().split('\n');
    const newest = JSON.parse(lines.at(-1) as string) as { readonly record: { readonly decision: { reason: string } } };
    newest.record.decision.reason = 'because';
    writeFileSync(join(folder.path, 'other.jsonl'), [...lines.slice(0, -1), JSON.stringify(newest)].join('\n'));
    const ended = await replay('other.jsonl');
    expect(ended.exitCode).toBe(1);
    expect(ended.stdout).toMatch(/1 different\n/);
    expect(ended.stdout).toMatch(/synthetic.*decision\.reason.*"because"/);
  });

  it('replays a long log in threads, with the verdicts in the order of the log', async () => {
    const { setups, decisions } = await readDecisionLog(join(folder.path, 'log.jsonl'));
    const many = Array.from({ length: 4 }, () => decisions).flat();
    const [{ pipelineName, record }] = many.slice(-1) as [(typeof many)[number]];
    const other = { ...record, decision: { ...record.decision, reason: 'because' } } as typeof record;
    const log = { setups, decisions: [...many, { pipelineName, record: other }, ...decisions] };
    const told: number[] = [];
    const inThreads = await replayInThreads(log, { threads: 2, onProgress: (replayed) => told.push(replayed) });
    expect(inThreads.map(({ kind }) => kind)).toEqual([
      ...many.map(({ record: { trigger } }) => (trigger === 'start' ? 'not-replayable' : 'same')),
      'different',
      ...decisions.map(({ record: { trigger } }) => (trigger === 'start' ? 'not-replayable' : 'same')),
    ]);
    expect(inThreads).toEqual(await replayInThreads(log, { threads: 1 }));
    expect(told.length).toBeGreaterThan(2);
    expect(told.at(-1)).toBe(log.decisions.length);
  });

  it('says with exit code 1 that there was nothing to compare', async () => {
    const lines = readFileSync(join(folder.path, 'log.jsonl'), 'utf8').trimEnd().split('\n');
    writeFileSync(join(folder.path, 'empty.jsonl'), '');
    writeFileSync(join(folder.path, 'headless.jsonl'), lines.slice(-2).join('\n'));
    expect(await replay('empty.jsonl')).toMatchObject({
      exitCode: 1,
      stdout: '0 decisions: 0 the same, 0 different; nothing was compared\n',
    });
    expect(await replay('headless.jsonl')).toMatchObject({
      exitCode: 1,
      stdout: expect.stringMatching(/^2 decisions: .*; nothing was compared\n2 not taken again: the log does not say/),
    });
  });

  it('makes the folder of what it exports, and says what cannot be written', async () => {
    expect(await replay(LOG, '--newest', '1', '--out', 'new/log.jsonl')).toMatchObject({ exitCode: 0 });
    expect(readFileSync(join(folder.path, 'new/log.jsonl'), 'utf8')).toContain('"kind":"decision"');
    expect(await replay(LOG, '--out', 'new')).toMatchObject({
      exitCode: 3,
      stderr: expect.stringContaining('new cannot be written: it is a folder'),
    });
  });

  it('says where the log is that was looked for', async () => {
    expect(await replay('.')).toMatchObject({
      exitCode: 3,
      stderr: expect.stringContaining('has its log in .equipoise/state.db'),
    });
    const missing = await replay('none.db');
    expect(missing.stderr).toContain('There is no log none.db');
    expect(missing.stderr).not.toContain('--log');
    expect(await replay(LOG, '--pipeline', 'other')).toMatchObject({
      exitCode: 2,
      stderr: expect.stringContaining('it has those of synthetic (newest '),
    });
  });

  it('names a log that is none', async () => {
    expect(await replay('pipeline.yaml')).toMatchObject({
      exitCode: 3,
      stderr: expect.stringContaining('pipeline.yaml:1 is not a line of a decision log'),
    });
  });
});

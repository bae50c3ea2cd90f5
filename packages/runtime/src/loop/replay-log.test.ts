import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { StepInput } from '@equipoise/core/control';
import { optimize } from '@equipoise/core/plan';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SqlitePlanStore } from '../store/sqlite-plan-store.js';
import { logLines, readDecisionLog } from './decision-log-file.js';
import { LogReplay, type RecordedLog } from './replay-log.js';
import { playedLog, playedSetup } from './replay-log.test-support.js';

const folder = mkdtempSync(join(tmpdir(), 'equipoise-replay-'));
const linesPath = join(folder, 'log.jsonl');
const storePath = join(folder, 'state.db');
let log: RecordedLog;

const records = () => log.decisions.map(({ record }) => record);
const verdicts = (of: RecordedLog) => {
  const replay = new LogReplay(of.setups);
  return of.decisions.map(({ record }) => replay.verdictOn(record));
};
const same = () => log.decisions.map(() => ({ kind: 'same' }));

beforeAll(async () => {
  log = playedLog();
  writeFileSync(linesPath, [...logLines(log)].join('\n'));
  const store = new SqlitePlanStore(storePath);
  await store.saveSetup('setup', playedSetup, 1);
  for (const { record } of log.decisions) await store.appendDecision('played', record);
  await store.close();
}, 120_000);
afterAll(() => rmSync(folder, { recursive: true }));

describe('a log that is replayed', () => {
  it('has decisions of all kinds', () => {
    const triggers = new Set(records().map(({ trigger }) => trigger));
    expect([...triggers].sort()).toEqual(['burst', 'plan', 'roll-back']);
    const inputs = records().map(({ input }) => input as StepInput);
    expect(inputs.some(({ corrections }) => corrections.length > 0)).toBe(true);
    expect(inputs.some(({ pins }) => pins !== undefined)).toBe(true);
    expect(inputs.some(({ state }) => state.backOff !== undefined)).toBe(true);
    expect(records().some(({ decision }) => decision?.kind === 'hold')).toBe(true);
    expect(records().some(({ decision }) => decision?.evidence.passedOver !== undefined)).toBe(true);
  });

  it.each([
    ['from lines', linesPath],
    ['from the store', storePath],
  ])('comes to the same decisions, %s', async (_, path) => {
    const read = await readDecisionLog(path);
    expect(read.decisions.map(({ record }) => record.id)).toEqual(records().map(({ id }) => id));
    expect(verdicts(read)).toEqual(same());
  });

  it('comes to them in whatever order and from wherever it is begun', async () => {
    const { setups, decisions } = await readDecisionLog(linesPath, { newest: 5 });
    expect(decisions).toHaveLength(5);
    expect(verdicts({ setups, decisions: decisions.toReversed() })).toEqual(new Array(5).fill({ kind: 'same' }));
  });

  it('comes to the same decisions where it is of a version that named otherwise what a trial had missed', async () => {
    const text = [...logLines(log)].join('\n').replaceAll('"missedAtStart"', '"droppedAtStart"');
    const oldPath = join(folder, 'old.jsonl');
    writeFileSync(oldPath, text);
    expect(text).toMatch(/"droppedAtStart":[1-9]/);
    expect(verdicts(await readDecisionLog(oldPath))).toEqual(same());
  });

  it.each([
    ['lines', linesPath],
    ['the store', storePath],
  ])('is read for one decision alone, from %s', async (_, path) => {
    const { decisions, setups } = await readDecisionLog(path, { id: 3 });
    expect(decisions.map(({ record }) => record.id)).toEqual([3]);
    expect([...setups.keys()]).toEqual(['setup']);
    expect((await readDecisionLog(path, { id: 999 })).decisions).toEqual([]);
    expect((await readDecisionLog(path, { pipelineName: 'other' })).decisions).toEqual([]);
  });

  it('names what differs, where the log or the pipeline is another', async () => {
    const { setups, decisions } = await readDecisionLog(linesPath);
    const at = decisions.findIndex(({ record }) => record.decision?.kind === 'apply');
    const changed = decisions[at]?.record as { decision: { reason: string } };
    changed.decision.reason = 'another';
    expect(verdicts({ setups, decisions })[at]).toEqual({
      kind: 'different',
      differences: [{ path: 'decision.reason', recorded: 'another', replayed: records()[at]?.decision?.reason }],
    });
    const smaller = { ...playedSetup, spec: { ...playedSetup.spec, budget: { cpuCores: 2 } } };
    const found = verdicts({ setups: new Map([['setup', smaller]]), decisions: log.decisions });
    expect(found.some(({ kind }) => kind === 'different')).toBe(true);
  });

  it('has a verdict on each decision, also if deciding fails now', () => {
    const stages = playedSetup.spec.stages.map((stage) => ({
      ...stage,
      variants: stage.variants.map(({ profile: _, ...variant }) => variant),
    }));
    const unprofiled = { ...playedSetup, profiles: [], spec: { ...playedSetup.spec, stages } };
    const found = verdicts({ setups: new Map([['setup', unprofiled]]), decisions: log.decisions });
    expect(found).toHaveLength(log.decisions.length);
    expect(found[0]).toEqual({
      kind: 'different',
      differences: [
        { path: 'decision', recorded: records()[0]?.decision?.kind, replayed: expect.stringContaining('profile') },
      ],
    });
  });

  it('says why a decision cannot be taken again', () => {
    const replay = new LogReplay(log.setups);
    const [first] = records();
    const { input: _, ...record } = first ?? {};
    const reasonOf = (over: object) => replay.verdictOn({ ...record, ...over } as never);
    const not = (reason: string) => ({ kind: 'not-replayable', reason });
    expect(reasonOf({})).toEqual(not('the log does not say what it rested on'));
    expect(reasonOf({ trigger: 'start' })).toEqual(not('the first plan'));
    expect(reasonOf({ trigger: 'manual' })).toEqual(not('by hand'));
    expect(reasonOf({ decision: undefined })).toEqual(not('deciding failed'));
    expect(new LogReplay(new Map()).verdictOn(records()[0] as never)).toEqual(
      not('the log does not say what it rested on'),
    );
  });

  it('has the question behind a decision, whose answer is the plan that was chosen', () => {
    const replay = new LogReplay(log.setups);
    const record = records().find(({ decision }) => decision?.evidence.result?.kind === 'feasible');
    const problem = replay.problemOf(record as never);
    expect(problem).toMatchObject({ arrivalRps: record?.decision?.evidence.load?.arrivalRps });
    expect(problem && optimize(problem).kind).toBe('feasible');
  });
});

describe('a log that cannot be read', () => {
  it('is named where it is missing', async () => {
    await expect(readDecisionLog(join(folder, 'none'))).rejects.toEqual(
      expect.objectContaining({ code: 'FILE_NOT_FOUND', message: expect.stringContaining('.equipoise/state.db') }),
    );
  });

  it('is looked for in a folder by the person who named it', async () => {
    for (const [path, inside] of [
      [folder, join(folder, '.equipoise/state.db')],
      [join(folder, '.equipoise'), join(folder, '.equipoise/state.db')],
    ] as const) {
      mkdirSync(path, { recursive: true });
      await expect(readDecisionLog(path)).rejects.toEqual(
        expect.objectContaining({
          code: 'FILE_UNREADABLE',
          message: expect.stringContaining(`has its log in ${inside}`),
        }),
      );
    }
  });

  it.each([
    ['no JSON', '{', 'it is not JSON. If the file was truncated'],
    ['a number', '3', 'expected {kind'],
    ['null', 'null', 'expected {kind'],
    ['another object', '{"kind": "decision", "pipeline": "p"}', 'expected {kind'],
  ])('is named with its line: %s', async (_, text, words) => {
    const path = join(folder, 'bad.jsonl');
    writeFileSync(path, `\n${[...logLines(log)][0]}\n${text}\n`);
    await expect(readDecisionLog(path)).rejects.toEqual(
      expect.objectContaining({ code: 'FILE_UNREADABLE', message: expect.stringMatching(`bad.jsonl:3 .*${words}`) }),
    );
  });
});

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { readDecisionLog } from './decision-log-file.js';

const folder = mkdtempSync(join(tmpdir(), 'equipoise-log-'));
const path = join(folder, 'log.jsonl');
afterAll(() => rmSync(folder, { recursive: true }));

const observation = { load: { arrivalsPerSecond: [] }, stages: {}, runningPlan: { stages: {} } };
const lineOf = (id: number, reason: string, more: object = {}): string =>
  JSON.stringify({
    kind: 'decision',
    pipeline: 'p',
    record: { id, atEpochMs: 1000 * id, observation, manual: { action: 'pause', reason }, ...more },
  });

describe('a log in JSON lines', () => {
  it.each([
    ['line separators in a reason', 'copied\u2028from\u2029a page'],
    ['a line longer than a read', 'long '.repeat(50_000)],
    ['letters of several bytes', 'ü€🙂'.repeat(20_000)],
  ])('has one decision per line: %s', async (_, reason) => {
    for (const end of ['\n', '\r\n']) {
      writeFileSync(path, [lineOf(1, reason), '', lineOf(2, reason)].join(end));
      const { decisions } = await readDecisionLog(path);
      expect(decisions.map(({ record }) => [record.id, record.manual?.reason === reason])).toEqual([
        [1, true],
        [2, true],
      ]);
    }
  });

  it('gives the newest decisions up to a time', async () => {
    writeFileSync(path, [1, 2, 3, 4, 5].map((id) => lineOf(id, 'ok')).join('\n'));
    const idsOf = async (selection: Parameters<typeof readDecisionLog>[1]) =>
      (await readDecisionLog(path, selection)).decisions.map(({ record }) => record.id);
    expect(await idsOf({ newest: 2, toEpochMs: 3000 })).toEqual([2, 3]);
    expect(await idsOf({ newest: 2, toEpochMs: 999 })).toEqual([]);
    expect(await idsOf({ newest: 2 })).toEqual([4, 5]);
  });

  it.each([
    ['no load', { observation: { ...observation, load: undefined } }],
    ['no stages', { observation: { ...observation, stages: null } }],
    ['a number as the running plan', { observation: { ...observation, runningPlan: 7 } }],
    ['a decision without evidence', { decision: [] }],
    ['no number', { id: undefined }],
    ['no time', { atEpochMs: undefined }],
    ['a time after all dates', { atEpochMs: 1e300 }],
  ])('is refused with its line if a record has %s', async (_, more) => {
    writeFileSync(path, `${lineOf(1, 'ok')}\n${lineOf(2, 'bad', more)}\n`);
    await expect(readDecisionLog(path)).rejects.toMatchObject({
      code: 'FILE_UNREADABLE',
      message: expect.stringMatching(/log\.jsonl:2 .* complete record/),
    });
  });
});

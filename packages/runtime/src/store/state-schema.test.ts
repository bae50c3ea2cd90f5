import { copyFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { decisionAt } from '@equipoise/testkit';
import Database from 'libsql';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { SqlitePlanStore } from './sqlite-plan-store.js';

/** Written by version 1: three plans and four decisions of two pipelines. */
const version1 = fileURLToPath(new URL('./fixtures/state-v1.db', import.meta.url));

const folder = mkdtempSync(join(tmpdir(), 'equipoise-schema-'));
let count = 0;
let path: string;
beforeEach(() => {
  path = join(folder, `${++count}.db`);
});
afterAll(() => rmSync(folder, { recursive: true }));

function versionOf(file: string): number {
  const database = new Database(file);
  const { user_version: version } = database.prepare('PRAGMA user_version').get() as { user_version: number };
  database.close();
  return version;
}

describe('a state file of version 1', () => {
  it('opens with its plans and its decisions, counted within their pipeline', async () => {
    copyFileSync(version1, path);
    expect(versionOf(path)).toBe(1);
    const store = new SqlitePlanStore(path);
    expect(await store.goodPlans('shelf', 9)).toMatchObject([
      { atEpochMs: 1_764_000_010_000, specDigest: 'digest-of-shelf', plan: { predicted: { latencyMs: 120.5 } } },
    ]);
    expect(await store.goodPlans('video', 9)).toMatchObject([{ plan: { predicted: { latencyMs: 7 } } }]);
    expect(await store.decisions('shelf', { limit: 9 })).toMatchObject([
      { id: 3, decision: { reason: 'best plan for up to 5.5 rps' }, outcome: { kind: 'applied', tookMs: 34 } },
      { id: 2, outcome: { kind: 'failed', step: 'decide', message: 'solver' } },
      { id: 1, atEpochMs: 1_764_000_000_000, decision: { kind: 'apply' }, outcome: { kind: 'applied', tookMs: 12 } },
    ]);
    const [held] = await store.decisions('video', { limit: 9 });
    expect(held).toMatchObject({ id: 1, decision: { kind: 'hold' }, observation: { atMs: 5000 } });
    expect(held).not.toHaveProperty('outcome');
    expect(await store.appendDecision('shelf', decisionAt(5, 1))).toBe(4);
    await store.close();
    expect(versionOf(path)).toBe(2);
  });

  it('opens a second time as what it has become', async () => {
    copyFileSync(version1, path);
    await new SqlitePlanStore(path).close();
    const store = new SqlitePlanStore(path);
    expect(await store.decisions('shelf', { limit: 9 })).toHaveLength(3);
    await store.close();
  });
});

describe('a state file of a newer version', () => {
  it('is refused with what to do, and left alone', async () => {
    await new SqlitePlanStore(path).close();
    const database = new Database(path);
    database.exec('PRAGMA user_version = 99');
    database.pragma('wal_checkpoint(TRUNCATE)');
    database.close();
    const before = readFileSync(path);
    expect(() => new SqlitePlanStore(path)).toThrow(
      expect.objectContaining({
        code: 'STORE_FAILED',
        message: expect.stringMatching(
          /newer version \(format 99, known up to 2\); use that version, or move the file/,
        ),
      }),
    );
    expect(readFileSync(path).equals(before)).toBe(true);
  });
});

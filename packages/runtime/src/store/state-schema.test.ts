import { copyFileSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { StageId } from '@equipoise/core/model';
import { decisionAt } from '@equipoise/testkit';
import Database from 'libsql';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { readStateFile } from './read-state-file.js';
import { SqlitePlanStore } from './sqlite-plan-store.js';

/** Files of older versions, each with plans and decisions of the pipelines `shelf` and `video`. */
const fixtures = fileURLToPath(new URL('./fixtures', import.meta.url));
const written = (version: number) => join(fixtures, `state-v${version}.db`);
const version1 = written(1);

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

describe('a state file of an older version that is only read', () => {
  it('stays as it is, so that a server of that version goes on writing', async () => {
    copyFileSync(version1, path);
    const older = new Database(path);
    const insert = older.prepare('INSERT INTO decision (pipeline, record) VALUES (?, ?)');
    insert.run('shelf', JSON.stringify({ atEpochMs: 1, observation: { atMs: 0 } }));
    const read = () => readStateFile(path, (store) => store.decisions('shelf', { limit: 9 }));
    expect((await read()).map(({ id }) => id)).toEqual([4, 3, 2, 1]);
    insert.run('shelf', JSON.stringify({ atEpochMs: 2, observation: { atMs: 0 } }));
    older.close();
    expect(versionOf(path)).toBe(1);
    expect((await read())[0]).toMatchObject({ id: 5, atEpochMs: 2 });
  });
});

describe('a state file of version 2', () => {
  it('opens with its plans, its decisions, what they refer to, and what was learned and asked for', async () => {
    copyFileSync(written(2), path);
    expect(versionOf(path)).toBe(2);
    const store = new SqlitePlanStore(path);
    const good = await store.goodPlans('shelf', 9);
    expect(good.map(({ plan }) => plan.stages['detect' as StageId]?.[0]?.variantId)).toEqual(['large', 'small']);
    expect(good[1]).toMatchObject({ atEpochMs: 1_764_000_000_000.5, specDigest: 'digest-of-shelf' });
    expect(await store.goodPlans('video', 9)).toMatchObject([{ specDigest: 'digest-of-video' }]);
    const observed = { windowMs: 10_000, dropped: 1, sloAttainmentFraction: 0.975 };
    expect(await store.decisions('shelf', { limit: 9 })).toMatchObject([
      { id: 3, atEpochMs: 1_764_000_030_000, trigger: 'plan', mode: 'auto', decision: { kind: 'hold' } },
      { id: 2, setupDigest: 'setup-of-shelf', outcome: { kind: 'applied', tookMs: 34 }, observed },
      { id: 1 },
    ]);
    expect(await store.setup('setup-of-shelf')).toEqual({ spec: { name: 'shelf' }, hostCores: 4 });
    for (const name of ['learning', 'service', 'edges', 'guardrails', 'operator'] as const) {
      expect(await store.kept('shelf', name)).toEqual({ of: name });
    }
    expect(await store.appendDecision('shelf', decisionAt(5, 1))).toBe(4);
    await store.close();
  });
});

describe('a state file of any version', () => {
  it('is kept as one, and becomes in its tables what a new file is', async () => {
    const tablesOf = (file: string) => {
      const database = new Database(file);
      const names = "SELECT name FROM sqlite_master WHERE type IN ('table', 'index') AND name NOT LIKE 'sqlite_%'";
      const found = database.prepare(`${names} ORDER BY name`).all() as { readonly name: string }[];
      const columns = found.map(({ name }) => [name, database.prepare(`PRAGMA table_xinfo("${name}")`).all()]);
      database.close();
      return columns;
    };
    await new SqlitePlanStore(path).close();
    const newest = versionOf(path);
    const versions = Array.from({ length: newest }, (_, i) => i + 1);
    expect(readdirSync(fixtures).toSorted()).toEqual(versions.map((version) => `state-v${version}.db`));
    const asNew = tablesOf(path);
    for (const version of versions) {
      const migrated = `${path}-${version}`;
      copyFileSync(written(version), migrated);
      await new SqlitePlanStore(migrated).close();
      expect(versionOf(migrated)).toBe(newest);
      expect(tablesOf(migrated)).toEqual(asNew);
    }
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

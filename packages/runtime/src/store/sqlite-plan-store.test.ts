import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { AppError } from '@equipoise/core/model';
import { decisionAt, describePlanStoreConformance, goodPlanOf } from '@equipoise/testkit';
import fc from 'fast-check';
import Database from 'libsql';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { SqlitePlanStore } from './sqlite-plan-store.js';

let folder: string;
let count = 0;
let path: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'equipoise-store-'));
});
beforeEach(() => {
  path = join(folder, `${++count}`, '.equipoise', 'state.db');
});
afterAll(() => rmSync(folder, { recursive: true }));

/** One day (ms). */
const DAY_MS = 86_400_000;

describePlanStoreConformance('SqlitePlanStore', () => new SqlitePlanStore(path));

/** Fills the log of 'p' with decisions from 1, at the times `at`. */
async function filled(count: number, at: (id: number) => number): Promise<SqlitePlanStore> {
  await new SqlitePlanStore(path).close();
  const database = new Database(path);
  const insert = database.prepare('INSERT INTO decision (pipeline, id, at_epoch_ms, record) VALUES (?, ?, ?, ?)');
  database.transaction(() => {
    insert.run('q', 1, 0, '{}');
    for (let id = 1; id <= count; id++) insert.run('p', id, at(id), '{}');
  })();
  database.close();
  return new SqlitePlanStore(path);
}

const idsOf = async (store: SqlitePlanStore) => (await store.decisions('p', { limit: 20_000 })).map(({ id }) => id);

describe('SqlitePlanStore', () => {
  it('gives everything back to the next process', async () => {
    const first = new SqlitePlanStore(path);
    await first.saveGoodPlan('p', goodPlanOf('large'));
    await first.appendDecision('p', decisionAt(7));
    await first.close();
    const second = new SqlitePlanStore(path);
    expect(await second.goodPlans('p', 1)).toEqual([goodPlanOf('large')]);
    expect(await second.decisions('p', { limit: 9 })).toEqual([decisionAt(7)]);
    await second.close();
  });

  it('is written through to the disk at every call', async () => {
    const store = new SqlitePlanStore(path);
    await store.saveGoodPlan('p', goodPlanOf('a'));
    const reader = new SqlitePlanStore(path);
    expect(await reader.goodPlans('p', 1)).toEqual([goodPlanOf('a')]);
    await reader.close();
    await store.close();
  });

  it('keeps the last 10,000 decisions and 20 good plans of each pipeline', async () => {
    const store = await filled(10_050, () => 5);
    await store.appendDecision('p', decisionAt(5, 10_051));
    const ids = await idsOf(store);
    expect(ids).toHaveLength(10_000);
    expect([ids[0], ids.at(-1)]).toEqual([10_051, 52]);
    expect(await store.decisions('q', { limit: 9 })).toHaveLength(1);
    for (let at = 0; at < 25; at++) await store.saveGoodPlan('p', goodPlanOf('a', { atEpochMs: at }));
    expect((await store.goodPlans('p', 99)).map(({ atEpochMs }) => atEpochMs)).toEqual(
      Array.from({ length: 20 }, (_, index) => 24 - index),
    );
    await store.close();
  });

  it('forgets decisions of more than a month ago, but for the last thousand', async () => {
    const store = await filled(1500, (id) => id);
    await store.appendDecision('p', decisionAt(31 * DAY_MS, 1501));
    expect(await idsOf(store)).toEqual(Array.from({ length: 1000 }, (_, index) => 1501 - index));
    await store.close();
  });

  it('forgets what no decision refers to a day later', async () => {
    const store = new SqlitePlanStore(path);
    await store.saveSetup('used', { seed: 1 }, 0);
    await store.saveSetup('spare', { seed: 2 }, 0);
    await store.appendDecision('p', { ...decisionAt(1), setupDigest: 'used' });
    await store.saveSetup('new', { seed: 3 }, DAY_MS);
    expect(await store.setup('spare')).toEqual({ seed: 2 });
    await store.saveSetup('new', { seed: 3 }, DAY_MS + 1);
    expect(await store.setup('spare')).toBeUndefined();
    expect([await store.setup('used'), await store.setup('new')]).toEqual([{ seed: 1 }, { seed: 3 }]);
    await store.close();
  });

  it('forgets its oldest decisions where it is full, and goes on with new ones and good plans', async () => {
    const store = new SqlitePlanStore(path, { mostBytes: 1024 ** 2 });
    const padded = (at: number) => ({ ...decisionAt(at, at), reason: 'x'.repeat(20_000) });
    for (let at = 1; at <= 200; at++) await store.appendDecision('p', padded(at));
    const kept = (await store.decisions('p', { limit: 999 })).map(({ id }) => id);
    expect(kept[0]).toBe(200);
    expect(kept.length).toBeGreaterThan(20);
    expect(kept).toEqual(kept.map((_, index) => 200 - index));
    await store.keep('p', 'learning', { much: 'x'.repeat(300_000) });
    expect((await store.decisions('p', { limit: 1 }))[0]?.id).toBe(200);
    await store.close();
  });

  it('says that it is full, keeps what it has and works again when there is room', async () => {
    const bound = 128 * 1024;
    const store = new SqlitePlanStore(path, { mostBytes: bound });
    await store.saveGoodPlan('p', goodPlanOf('a'));
    const full = expect.objectContaining({ code: 'STORE_FAILED', message: expect.stringMatching(/full.*make room/) });
    const large = { weights: new Array<number>(100_000).fill(0.123) };
    await expect(store.keep('p', 'learning', large)).rejects.toEqual(full);
    expect(await store.goodPlans('p', 1)).toEqual([goodPlanOf('a')]);
    expect(await store.kept('p', 'learning')).toBeUndefined();
    await store.keep('p', 'learning', { weights: [1] });
    expect(await store.kept('p', 'learning')).toEqual({ weights: [1] });
    await store.close();
    expect(statSync(path).size).toBeLessThanOrEqual(bound);
  });

  it('does all of a call or nothing, and goes on', async () => {
    const store = new SqlitePlanStore(path);
    for (let at = 0; at < 20; at++) await store.saveGoodPlan('p', goodPlanOf('a', { atEpochMs: at }));
    const other = new Database(path);
    other.exec("CREATE TRIGGER broken BEFORE DELETE ON good_plan BEGIN SELECT RAISE(FAIL, 'broken'); END");
    // The plan is written before the deletion of the oldest one, which fails.
    await expect(store.saveGoodPlan('p', goodPlanOf('a', { atEpochMs: 20 }))).rejects.toThrow('broken');
    expect((await store.goodPlans('p', 1))[0]?.atEpochMs).toBe(19);
    other.exec('DROP TRIGGER broken');
    other.close();
    await store.saveGoodPlan('p', goodPlanOf('a', { atEpochMs: 21 }));
    expect((await store.goodPlans('p', 2)).map(({ atEpochMs }) => atEpochMs)).toEqual([21, 19]);
    await store.close();
  });

  it.each([
    ['is no database', () => Buffer.from('no database '.repeat(1000))],
    ['is damaged inside', (bytes: Buffer) => bytes.fill(7, 4096)],
    ['is cut short', (bytes: Buffer) => bytes.subarray(0, bytes.length / 2)],
  ])('names a file that %s and what to do, and leaves it alone', async (_, damage) => {
    const store = new SqlitePlanStore(path);
    for (let id = 1; id <= 200; id++) await store.appendDecision('p', decisionAt(1, id));
    await store.close();
    const damaged = Buffer.from(damage(readFileSync(path)));
    writeFileSync(path, damaged);
    expect(() => new SqlitePlanStore(path)).toThrow(
      expect.objectContaining({
        code: 'STORE_FAILED',
        message: expect.stringMatching(new RegExp(`${path}.*damaged; move it away`)),
      }),
    );
    expect(readFileSync(path).equals(damaged)).toBe(true);
  });

  it('names a folder that cannot be written', () => {
    mkdirSync(join(folder, `${count}`));
    writeFileSync(join(folder, `${count}`, '.equipoise'), 'a file in its place');
    expect(() => new SqlitePlanStore(path)).toThrow(
      expect.objectContaining({ code: 'STORE_FAILED', message: expect.stringContaining('permissions of its folder') }),
    );
  });

  it('says when another process will not let go of the file, and works when it has', async () => {
    const store = new SqlitePlanStore(path);
    const other = new Database(path);
    other.exec('BEGIN IMMEDIATE');
    await expect(store.appendDecision('p', decisionAt(1))).rejects.toEqual(
      expect.objectContaining({
        code: 'STORE_FAILED',
        retryable: true,
        message: expect.stringContaining('another process has locked it'),
      }),
    );
    other.exec('ROLLBACK');
    other.close();
    await store.appendDecision('p', decisionAt(1));
    await store.close();
  });
});

/** Reads all texts of a state file that the fixture began. */
async function readAll(store: SqlitePlanStore): Promise<void> {
  await store.pipelineNames();
  await store.setup('d');
  for (const name of ['shelf', 'video']) {
    await store.goodPlans(name, 20);
    await store.decisions(name, { limit: 1000 });
    await store.decision(name, 1);
    await store.kept(name, 'operator');
  }
}

describe('a state file that somebody damaged', () => {
  const intact = readFileSync(new URL('fixtures/state-v2.db', import.meta.url));
  const bytes = fc.uint8Array({ minLength: 1, maxLength: 64 });
  const damages = {
    'cut off': fc.nat({ max: intact.length - 1 }).map((length) => intact.subarray(0, length)),
    'with bytes of chance': fc
      .array(fc.tuple(fc.nat({ max: intact.length - 64 }), bytes), { minLength: 1 })
      .map((at) => {
        const content = Buffer.from(intact);
        for (const [offset, value] of at) content.set(value, offset);
        return content;
      }),
    'of chance': fc.uint8Array({ maxLength: 20_000 }).map((content) => Buffer.from(content)),
  };

  it.each(Object.entries(damages))(
    '%s opens, is set aside whole, or is refused with STORE_FAILED',
    async (_, files) => {
      await fc.assert(
        fc.asyncProperty(files, async (content) => {
          path = join(folder, `${++count}.db`);
          writeFileSync(path, content);
          const kept = (aside: string) => readFileSync(aside).equals(content);
          try {
            const { store, aside } = SqlitePlanStore.replacingDamaged(path, 1);
            if (aside !== undefined && !kept(aside)) throw new Error('the file that was set aside is another one');
            await readAll(store).finally(() => store.close());
          } catch (error) {
            if (!(error instanceof AppError) || error.code !== 'STORE_FAILED') throw error;
          }
        }),
      );
    },
  );

  it.each([
    ['good_plan', 'plan'],
    ['good_plan', 'spec_digest'],
    ['decision', 'pipeline'],
    ['decision', 'record'],
    ['decision', 'outcome'],
    ['decision', 'observed'],
    ['setup', 'setup'],
    ['kept', 'value'],
  ])('with text in %s.%s that is not UTF-8 is read and refused with STORE_FAILED', async (table, column) => {
    path = join(folder, `${++count}.db`);
    writeFileSync(path, intact);
    const database = new Database(path);
    database.exec(
      `INSERT INTO setup VALUES ('d', '{}', 1); INSERT OR REPLACE INTO kept VALUES ('shelf', 'operator', '{}')`,
    );
    database.exec(`UPDATE OR IGNORE ${table} SET ${column} = CAST(x'7b22ff227d' AS TEXT)`);
    database.close();
    const store = new SqlitePlanStore(path);
    await expect(readAll(store)).rejects.toMatchObject({
      code: 'STORE_FAILED',
      message: expect.stringContaining('it is damaged; move it away'),
    });
    await store.close();
  });

  it.each([1, 4095])('without its last %i bytes is set aside', (missing) => {
    path = join(folder, `${++count}.db`);
    writeFileSync(path, intact.subarray(0, -missing));
    expect(SqlitePlanStore.replacingDamaged(path, 1).aside).toBe(`${path}.damaged-1`);
    expect(readFileSync(`${path}.damaged-1`).equals(intact.subarray(0, -missing))).toBe(true);
  });

  it('may end within a page while it has a log, which may hold the rest', async () => {
    path = join(folder, `${++count}.db`);
    writeFileSync(path, intact.subarray(0, -1));
    writeFileSync(`${path}-wal`, 'the rest');
    await new SqlitePlanStore(path).close();
  });

  it('stays in its place while it is intact', async () => {
    writeFileSync(join(folder, 'intact.db'), intact);
    const { store, aside } = SqlitePlanStore.replacingDamaged(join(folder, 'intact.db'), 1);
    expect([aside, await store.pipelineNames()]).toEqual([undefined, ['shelf', 'video']]);
    await store.close();
  });
});

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { decisionAt, describePlanStoreConformance } from '@equipoise/testkit';
import Database from 'libsql';
import { afterAll, describe, expect, it } from 'vitest';
import { ThreadedPlanStore } from './threaded-plan-store.js';

const folder = mkdtempSync(join(tmpdir(), 'equipoise-thread-'));
let count = 0;
const newPath = () => join(folder, `${++count}.db`);
afterAll(() => rmSync(folder, { recursive: true }));

describePlanStoreConformance('ThreadedPlanStore', async () => new ThreadedPlanStore(newPath()));

describe('ThreadedPlanStore', () => {
  it('tells at the start what is wrong with the file', async () => {
    const path = newPath();
    writeFileSync(path, 'no database '.repeat(1000));
    const store = new ThreadedPlanStore(path);
    await expect(store.open(false)).rejects.toEqual(
      expect.objectContaining({ code: 'STORE_FAILED', message: expect.stringContaining('damaged; move it away') }),
    );
    await store.close();
  });

  it('sets a damaged file aside with its log, for its owner, and begins a new one', async () => {
    const path = newPath();
    const damaged = { [path]: 'no database '.repeat(1000), [`${path}-wal`]: 'no log' };
    for (const [file, content] of Object.entries(damaged)) writeFileSync(file, content);
    const store = new ThreadedPlanStore(path);
    const aside = await store.open(true);
    expect(aside).toMatch(/\.db\.damaged-\d+$/);
    expect([aside, `${aside}-wal`].map((file) => readFileSync(String(file), 'utf8'))).toEqual(Object.values(damaged));
    expect(await store.appendDecision('p', decisionAt(1))).toBe(1);
    expect(await store.open(true)).toBeUndefined();
    await store.close();
  });

  it('tries again to open a file that it could not open', async () => {
    const path = join(newPath(), 'state.db');
    writeFileSync(dirname(path), 'a file where the folder should be');
    const store = new ThreadedPlanStore(path);
    const failed = { code: 'STORE_FAILED', message: expect.stringContaining('check the disk') };
    await expect(store.open(true)).rejects.toMatchObject(failed);
    await expect(store.appendDecision('p', decisionAt(1))).rejects.toMatchObject(failed);
    rmSync(dirname(path));
    expect(await store.appendDecision('p', decisionAt(1))).toBe(1);
    await store.close();
  });

  it('leaves this thread free while another process holds the file, and says so then', async () => {
    const path = newPath();
    const store = new ThreadedPlanStore(path);
    const other = new Database(path);
    other.exec('BEGIN IMMEDIATE');
    let turns = 0;
    const turning = setInterval(() => {
      turns += 1;
    }, 1);
    const failure = { code: 'STORE_FAILED', retryable: true, details: { path, code: expect.stringMatching('BUSY') } };
    await expect(store.appendDecision('p', decisionAt(1))).rejects.toEqual(expect.objectContaining(failure));
    clearInterval(turning);
    // The call waits two seconds, which would have blocked this thread.
    expect(turns).toBeGreaterThan(5);
    other.exec('ROLLBACK');
    other.close();
    expect(await store.appendDecision('p', decisionAt(1))).toBe(1);
    await store.close();
  });

  it('refuses more calls than may wait', async () => {
    const store = new ThreadedPlanStore(newPath());
    const calls = Array.from({ length: 300 }, (_, id) => store.appendDecision('p', decisionAt(1, id + 1)));
    const ends = await Promise.allSettled(calls);
    const refused = ends.filter(({ status }) => status === 'rejected');
    expect(refused).toHaveLength(300 - 256);
    expect(refused[0]).toMatchObject({ reason: { message: expect.stringContaining('too slow') } });
    await store.close();
  });

  it('finishes what was asked for before it closes', async () => {
    const path = newPath();
    const store = new ThreadedPlanStore(path);
    const written = store.appendDecision('p', decisionAt(1));
    await store.close();
    expect(await written).toBe(1);
  });
});

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { SeededRng } from '@equipoise/core';
import { decisionAt, describePlanStoreConformance, planOf } from '@equipoise/testkit';
import Database from 'libsql';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { SqlitePlanStore } from './sqlite-plan-store.js';
import { numberedPlan } from './writing-process.test-support.js';

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

const facts = { atEpochMs: 1, specDigest: 'd' };

describePlanStoreConformance('SqlitePlanStore', () => new SqlitePlanStore(path));

describe('SqlitePlanStore', () => {
  it('gives everything back to the next process', () => {
    const first = new SqlitePlanStore(path);
    first.saveLastGoodPlan('p', planOf('large'), facts);
    first.appendDecision('p', decisionAt(7));
    first.close();
    const second = new SqlitePlanStore(path);
    expect(second.lastGoodPlan('p', 'd')).toEqual(planOf('large'));
    expect(second.recentDecisions('p', 9)).toEqual([decisionAt(7)]);
    second.close();
  });

  it('is written through to the disk at every call', () => {
    const store = new SqlitePlanStore(path);
    store.saveLastGoodPlan('p', planOf('a'), facts);
    const reader = new SqlitePlanStore(path);
    expect(reader.lastGoodPlan('p', 'd')).toEqual(planOf('a'));
    reader.close();
    store.close();
  });

  it('keeps the last 10,000 decisions of each pipeline', () => {
    new SqlitePlanStore(path).close();
    const database = new Database(path);
    const insert = database.prepare('INSERT INTO decision (pipeline, record) VALUES (?, ?)');
    database.transaction(() => {
      insert.run('q', JSON.stringify({ atEpochMs: 0 }));
      for (let at = 0; at < 10_050; at++) insert.run('p', JSON.stringify({ atEpochMs: at }));
    })();
    database.close();
    const store = new SqlitePlanStore(path);
    store.appendDecision('p', decisionAt(10_050));
    const kept = store.recentDecisions('p', 20_000).map(({ atEpochMs }) => atEpochMs);
    expect(kept).toHaveLength(10_000);
    expect([kept[0], kept.at(-1)]).toEqual([10_050, 51]);
    expect(store.recentDecisions('q', 1)).toHaveLength(1);
    store.close();
  });

  it('refuses a file of a newer version', () => {
    new SqlitePlanStore(path).close();
    const database = new Database(path);
    database.exec('PRAGMA user_version = 99');
    database.close();
    expect(() => new SqlitePlanStore(path)).toThrow(
      expect.objectContaining({ code: 'STORE_FAILED', message: expect.stringMatching(/newer version \(format 99/) }),
    );
  });

  it.each([
    ['is no database', () => Buffer.from('no database '.repeat(1000))],
    ['is damaged inside', (bytes: Buffer) => bytes.fill(7, 4096)],
    ['is cut short', (bytes: Buffer) => bytes.subarray(0, bytes.length / 2)],
  ])('names a file that %s and what to do, and leaves it alone', (_, damage) => {
    const store = new SqlitePlanStore(path);
    for (let at = 0; at < 200; at++) store.appendDecision('p', decisionAt(at));
    store.close();
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

  it('waits for another process, and says when it will not let go', () => {
    const store = new SqlitePlanStore(path);
    const other = new Database(path);
    other.exec('BEGIN IMMEDIATE');
    const startedAtMs = performance.now();
    expect(() => store.appendDecision('p', decisionAt(1))).toThrow(
      expect.objectContaining({ code: 'STORE_FAILED', retryable: true }),
    );
    expect(performance.now() - startedAtMs).toBeGreaterThan(1500);
    other.exec('ROLLBACK');
    other.close();
    store.appendDecision('p', decisionAt(1));
    store.close();
  });

  it('survives kill -9 at any moment: consistent, with everything acknowledged', { timeout: 120_000 }, async () => {
    const rng = new SeededRng(11);
    let next = 0;
    for (let kill = 0; kill < 20; kill++) {
      const acknowledged = await writeUntilKilled(path, next, { writes: 3 + (kill % 5), afterMs: rng.next() * 9 });
      const store = new SqlitePlanStore(path);
      const plan = store.lastGoodPlan('p', 'd');
      const numbers = store.recentDecisions('p', 10_000).map(({ atEpochMs }) => atEpochMs);
      const newest = numbers[0] ?? -1;
      expect(newest).toBeGreaterThanOrEqual(acknowledged);
      expect(numbers).toEqual(Array.from({ length: newest + 1 }, (_, index) => newest - index));
      expect([numberedPlan(newest), numberedPlan(newest + 1)]).toContainEqual(plan);
      store.close();
      next = newest + 1;
    }
    expect(next).toBeGreaterThan(20 * 3);
    expect(existsSync(path) && statSync(path).size > 0).toBe(true);
  });
});

const writer = fileURLToPath(new URL('./writing-process.test-support.ts', import.meta.url));

/** Lets a process write from `first` on and kills it; gives the last number that it acknowledged. */
async function writeUntilKilled(
  file: string,
  first: number,
  kill: { readonly writes: number; readonly afterMs: number },
): Promise<number> {
  const child: ChildProcess = spawn(
    process.execPath,
    ['--conditions=equipoise-source', '--import', 'tsx', writer, file, `${first}`],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  const ended = once(child, 'exit');
  let acknowledged = first - 1;
  for await (const line of createInterface({ input: child.stdout ?? process.stdin })) {
    acknowledged = Number(line);
    if (acknowledged === first + kill.writes) setTimeout(() => child.kill('SIGKILL'), kill.afterMs);
  }
  expect(await ended).toEqual([null, 'SIGKILL']);
  return acknowledged;
}

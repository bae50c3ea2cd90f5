/**
 * A state file that is only read, perhaps while a server of an older version works on it: that one could write no more if its tables were
 * brought up to date under it. So an older file is copied as it stands at one moment, and the copy is brought up to date and read.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'libsql';
import { SqlitePlanStore } from './sqlite-plan-store.js';
import { attempt } from './state-file.js';
import { isOlder } from './state-schema.js';

/** Does some work on the store in the file; rejects with AppError STORE_FAILED where that cannot be read. */
export async function readStateFile<Result>(
  path: string,
  work: (store: SqlitePlanStore) => Promise<Result>,
): Promise<Result> {
  const folder = mkdtempSync(join(tmpdir(), 'equipoise-log-'));
  try {
    const store = new SqlitePlanStore(attempt(path, () => newestOf(path, join(folder, 'state.db'))));
    try {
      return await work(store);
    } finally {
      await store.close();
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** The file itself or, where it is of an older version, a copy of it. */
function newestOf(path: string, copyPath: string): string {
  const database = new Database(path);
  try {
    if (!isOlder(database)) return path;
    database.prepare('VACUUM INTO ?').run(copyPath);
    return copyPath;
  } finally {
    database.close();
  }
}

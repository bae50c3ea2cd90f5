/** Reads a state file. If its format is older, migrates a copy: a server of that format may still write to the file. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'libsql';
import { SqlitePlanStore } from './sqlite-plan-store.js';
import { attempt } from './state-file.js';
import { isOlder } from './state-schema.js';

/** Rejects with STORE_FAILED. */
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

/** The file itself, or a copy if it is older. */
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

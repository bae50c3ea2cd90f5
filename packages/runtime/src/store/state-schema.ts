/**
 * The tables of the state file, version by version. `user_version` counts the migrations that a file has seen; each runs once, all in one
 * transaction, so that a file is of one version or another and never between. A migration that was released is never changed.
 */
import { AppError } from '@equipoise/core';
import type Database from 'libsql';

const migrations: readonly string[] = [
  `CREATE TABLE last_good_plan (
     pipeline TEXT PRIMARY KEY,
     spec_digest TEXT NOT NULL,
     plan TEXT NOT NULL,
     at_epoch_ms INTEGER NOT NULL
   ) STRICT;
   CREATE TABLE decision (
     id INTEGER PRIMARY KEY AUTOINCREMENT,
     pipeline TEXT NOT NULL,
     record TEXT NOT NULL
   ) STRICT;
   CREATE INDEX decision_by_pipeline ON decision (pipeline, id);`,
];

/** Brings an open file to the newest version; AppError STORE_FAILED when a newer Equipoise wrote it. */
export function migrate(database: Database.Database, path: string): void {
  const migrateAll = database.transaction(() => {
    const { user_version: version } = database.prepare('PRAGMA user_version').get() as { user_version: number };
    if (version > migrations.length) {
      throw new AppError(
        'STORE_FAILED',
        `The state file ${path} was written by a newer version (format ${version}, known up to ${migrations.length}); use that version, or move the file away to start afresh.`,
        { details: { path, version, known: migrations.length } },
      );
    }
    for (const migration of migrations.slice(version)) database.exec(migration);
    if (version < migrations.length) database.exec(`PRAGMA user_version = ${migrations.length}`);
  });
  migrateAll.immediate();
}

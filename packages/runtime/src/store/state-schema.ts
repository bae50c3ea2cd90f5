/**
 * The tables of the state file, version by version. `user_version` counts the migrations that a file has seen; each runs once, all in one
 * transaction, so that a file is of one version or another and never between. A migration that was released is never changed.
 */
import { AppError } from '@equipoise/core/model';
import type Database from 'libsql';
import { inTransaction } from './state-file.js';

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
  // More than one good plan; decisions counted within their pipeline, what is known of them later apart; what is learned.
  `CREATE TABLE good_plan (
     id INTEGER PRIMARY KEY AUTOINCREMENT,
     pipeline TEXT NOT NULL,
     spec_digest TEXT NOT NULL,
     plan TEXT NOT NULL,
     at_epoch_ms REAL NOT NULL
   ) STRICT;
   CREATE INDEX good_plan_by_pipeline ON good_plan (pipeline, id);
   INSERT INTO good_plan (pipeline, spec_digest, plan, at_epoch_ms)
     SELECT pipeline, spec_digest, plan, at_epoch_ms FROM last_good_plan ORDER BY at_epoch_ms;
   DROP TABLE last_good_plan;
   CREATE TABLE numbered_decision (
     pipeline TEXT NOT NULL,
     id INTEGER NOT NULL,
     at_epoch_ms REAL NOT NULL,
     setup_digest TEXT,
     record TEXT NOT NULL,
     outcome TEXT,
     observed TEXT,
     PRIMARY KEY (pipeline, id)
   ) STRICT, WITHOUT ROWID;
   INSERT INTO numbered_decision (pipeline, id, at_epoch_ms, record, outcome)
     SELECT pipeline, row_number() OVER (PARTITION BY pipeline ORDER BY id), record ->> 'atEpochMs',
       json_remove(record, '$.outcome'), record -> 'outcome'
     FROM decision;
   DROP TABLE decision;
   ALTER TABLE numbered_decision RENAME TO decision;
   CREATE INDEX decision_by_setup ON decision (setup_digest);
   CREATE TABLE setup (
     digest TEXT PRIMARY KEY,
     setup TEXT NOT NULL,
     at_epoch_ms REAL NOT NULL
   ) STRICT;
   CREATE TABLE kept (
     pipeline TEXT NOT NULL,
     name TEXT NOT NULL,
     value TEXT NOT NULL,
     PRIMARY KEY (pipeline, name)
   ) STRICT;`,
];

/** Whether an open file is of an older version than `migrate` brings it to. */
export function isOlder(database: Database.Database): boolean {
  return versionOf(database) < migrations.length;
}

function versionOf(database: Database.Database): number {
  return (database.prepare('PRAGMA user_version').get() as { readonly user_version: number }).user_version;
}

/** Brings an open file to the newest version; AppError STORE_FAILED when a newer Equipoise wrote it. */
export function migrate(database: Database.Database, path: string): void {
  inTransaction(database, () => {
    const version = versionOf(database);
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
}

/**
 * Tables of the state file by version. `user_version` counts applied migrations; they run in one transaction. Never
 * change a released migration.
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
  // Adds several good plans, decision numbers per pipeline, later facts and learned state.
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

export function isOlder(database: Database.Database): boolean {
  return versionOf(database) < migrations.length;
}

function versionOf(database: Database.Database): number {
  return (database.prepare('PRAGMA user_version').get() as { readonly user_version: number }).user_version;
}

/** Throws STORE_FAILED if a newer Equipoise wrote the file. */
export function migrate(database: Database.Database, path: string): void {
  inTransaction(database, () => {
    const version = versionOf(database);
    if (version > migrations.length) {
      throw new AppError(
        'STORE_FAILED',
        `The state file ${path} was written by a newer version (format ${version}, known up to ${migrations.length}); use that version, or move the file away to start with an empty one.`,
        { details: { path, version, known: migrations.length } },
      );
    }
    for (const migration of migrations.slice(version)) database.exec(migration);
    if (version < migrations.length) database.exec(`PRAGMA user_version = ${migrations.length}`);
  });
}

/** Texts are read as bytes: libsql ends the process if a damaged file has a text that is not UTF-8. */
const bytesOf = (column: string, name = column): string => `CAST(${column} AS BLOB) AS ${name}`;
const DECISION_COLUMNS = ['id', ...['record', 'outcome', 'observed'].map((column) => bytesOf(column))].join(', ');

const texts = {
  addPlan: 'INSERT INTO good_plan (pipeline, spec_digest, plan, at_epoch_ms) VALUES (?, ?, ?, ?)',
  forgetPlans: `DELETE FROM good_plan WHERE pipeline = ? AND id <=
    (SELECT id FROM good_plan WHERE pipeline = ? ORDER BY id DESC LIMIT 1 OFFSET ?)`,
  plans: `SELECT ${bytesOf('plan')}, at_epoch_ms, ${bytesOf('spec_digest')} FROM good_plan WHERE pipeline = ?
    ORDER BY id DESC LIMIT ?`,

  lastId: 'SELECT max(id) AS id FROM decision WHERE pipeline = ?',
  addDecision: `INSERT INTO decision (pipeline, id, at_epoch_ms, setup_digest, record, outcome, observed)
    VALUES (?, ?, ?, ?, ?, ?, ?)`,
  amend: `UPDATE decision SET outcome = coalesce(?, outcome), observed = coalesce(?, observed)
    WHERE pipeline = ? AND id = ?`,
  forgetDecisions: `DELETE FROM decision WHERE pipeline = ? AND id <=
    (SELECT id FROM decision WHERE pipeline = ? ORDER BY id DESC LIMIT 1 OFFSET ?)`,
  forgetOldDecisions: `DELETE FROM decision WHERE pipeline = ? AND at_epoch_ms < ? AND id <=
    (SELECT id FROM decision WHERE pipeline = ? ORDER BY id DESC LIMIT 1 OFFSET ?)`,
  forgetOldest: `DELETE FROM decision WHERE (pipeline, id) IN
    (SELECT pipeline, id FROM decision ORDER BY at_epoch_ms, id LIMIT ?)`,
  decision: `SELECT ${DECISION_COLUMNS} FROM decision WHERE pipeline = ? AND id = ?`,
  decisionsBefore: `SELECT ${DECISION_COLUMNS} FROM decision WHERE pipeline = ? AND id < ? ORDER BY id DESC LIMIT ?`,
  names: `SELECT DISTINCT ${bytesOf('pipeline')} FROM decision ORDER BY pipeline`,

  addSetup: `INSERT INTO setup (digest, setup, at_epoch_ms) VALUES (?, ?, ?)
    ON CONFLICT (digest) DO UPDATE SET at_epoch_ms = excluded.at_epoch_ms`,
  forgetSetups: `DELETE FROM setup WHERE digest <> ? AND at_epoch_ms < ?
    AND NOT EXISTS (SELECT 1 FROM decision WHERE setup_digest = digest)`,
  setup: `SELECT ${bytesOf('setup', 'value')} FROM setup WHERE digest = ?`,
  keep: `INSERT INTO kept (pipeline, name, value) VALUES (?, ?, ?)
    ON CONFLICT (pipeline, name) DO UPDATE SET value = excluded.value`,
  kept: `SELECT ${bytesOf('value')} FROM kept WHERE pipeline = ? AND name = ?`,
} as const;

export type StateStatements = Readonly<Record<keyof typeof texts, Database.Statement<unknown[]>>>;

/** Requires a migrated file. */
export function stateStatements(database: Database.Database): StateStatements {
  const prepared = Object.entries(texts).map(([name, text]) => [name, database.prepare(text)]);
  return Object.fromEntries(prepared) as StateStatements;
}

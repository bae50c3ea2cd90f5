/** The statements of the store, prepared once for an open file. */
import type Database from 'libsql';

const DECISION_COLUMNS = 'id, record, outcome, observed';

const texts = {
  addPlan: 'INSERT INTO good_plan (pipeline, spec_digest, plan, at_epoch_ms) VALUES (?, ?, ?, ?)',
  forgetPlans: `DELETE FROM good_plan WHERE pipeline = ? AND id <=
    (SELECT id FROM good_plan WHERE pipeline = ? ORDER BY id DESC LIMIT 1 OFFSET ?)`,
  plans: 'SELECT plan, at_epoch_ms, spec_digest FROM good_plan WHERE pipeline = ? ORDER BY id DESC LIMIT ?',

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
  names: 'SELECT DISTINCT pipeline FROM decision ORDER BY pipeline',

  addSetup: `INSERT INTO setup (digest, setup, at_epoch_ms) VALUES (?, ?, ?)
    ON CONFLICT (digest) DO UPDATE SET at_epoch_ms = excluded.at_epoch_ms`,
  forgetSetups: `DELETE FROM setup WHERE digest <> ? AND at_epoch_ms < ?
    AND NOT EXISTS (SELECT 1 FROM decision WHERE setup_digest = digest)`,
  setup: 'SELECT setup AS value FROM setup WHERE digest = ?',
  keep: `INSERT INTO kept (pipeline, name, value) VALUES (?, ?, ?)
    ON CONFLICT (pipeline, name) DO UPDATE SET value = excluded.value`,
  kept: 'SELECT value FROM kept WHERE pipeline = ? AND name = ?',
} as const;

/** All statements, by what they do. */
export type StateStatements = Readonly<Record<keyof typeof texts, Database.Statement<unknown[]>>>;

/** Prepares them; the file is of the newest version. */
export function stateStatements(database: Database.Database): StateStatements {
  const prepared = Object.entries(texts).map(([name, text]) => [name, database.prepare(text)]);
  return Object.fromEntries(prepared) as StateStatements;
}

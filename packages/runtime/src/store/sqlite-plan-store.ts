/**
 * The plan store in one SQLite file (libsql), `<baseDir>/.equipoise/state.db`.
 *
 * Durability: write-ahead log with synchronous = FULL, so that a call that has returned survives a power cut as well as a kill. That is
 * one flush of the disk a call, 0.2 to 4 ms where it was measured; NORMAL (0.05 ms) may lose the last commits in a power cut. With a handful
 * of calls a minute the certainty is worth it. Other processes are waited for up to 2 s. A damaged file is reported and left alone: only its
 * owner may throw a log of decisions away.
 */
import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { AppError, type DecisionRecord, type Plan, type PlanStore, type SavedPlanFacts } from '@equipoise/core';
import Database from 'libsql';
import { migrate } from './state-schema.js';

const BUSY_TIMEOUT_MS = 2000;
/** Decisions kept of each pipeline: a day of one every 10 s. */
const KEPT_DECISIONS = 10_000;

/** A crash-safe PlanStore; one process may hold several, and several processes one file. */
export class SqlitePlanStore implements PlanStore {
  readonly #path: string;
  readonly #database: Database.Database;
  readonly #statements: ReturnType<typeof prepare>;
  #closed = false;

  /** Opens the file, made with its folder if missing; AppError STORE_FAILED when it is damaged, newer or cannot be written. */
  constructor(path: string) {
    this.#path = path;
    this.#database = attempt(path, () => open(path));
    try {
      this.#statements = attempt(path, () => {
        migrate(this.#database, path);
        checkPages(this.#database);
        return prepare(this.#database);
      });
    } catch (error) {
      this.#database.close();
      throw error;
    }
  }

  saveLastGoodPlan(pipelineName: string, plan: Plan, { atEpochMs, specDigest }: SavedPlanFacts): void {
    this.#attempt(({ savePlan }) => savePlan.run(pipelineName, specDigest, JSON.stringify(plan), atEpochMs));
  }

  lastGoodPlan(pipelineName: string, specDigest: string): Plan | undefined {
    return this.#attempt(({ plan }) => {
      const row = plan.get(pipelineName, specDigest) as { readonly plan: string } | undefined;
      return row === undefined ? undefined : (JSON.parse(row.plan) as Plan);
    });
  }

  appendDecision(pipelineName: string, record: DecisionRecord): void {
    const text = JSON.stringify(record);
    this.#attempt(({ addDecision, forgetDecisions }) => {
      const append = this.#database.transaction(() => {
        addDecision.run(pipelineName, text);
        forgetDecisions.run(pipelineName, pipelineName, KEPT_DECISIONS);
      });
      append.immediate();
    });
  }

  recentDecisions(pipelineName: string, limit: number): readonly DecisionRecord[] {
    return this.#attempt(({ decisions }) => {
      const rows = decisions.all(pipelineName, Math.max(0, Math.trunc(limit))) as { readonly record: string }[];
      return rows.map((row) => JSON.parse(row.record) as DecisionRecord);
    });
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    try {
      // libsql lets go of the file only with its statements, some time later: the log is emptied here so that one file holds all.
      attempt(this.#path, () => this.#database.pragma('wal_checkpoint(TRUNCATE)'));
    } finally {
      this.#database.close();
    }
  }

  #attempt<Result>(work: (statements: ReturnType<typeof prepare>) => Result): Result {
    if (this.#closed) throw new AppError('STORE_FAILED', `The state file ${this.#path} is closed.`);
    return attempt(this.#path, () => work(this.#statements));
  }
}

function open(path: string): Database.Database {
  mkdirSync(dirname(path), { recursive: true });
  const database = new Database(path);
  try {
    database.pragma(`busy_timeout = ${BUSY_TIMEOUT_MS}`);
    database.pragma('journal_mode = WAL');
    database.pragma('synchronous = FULL');
    return database;
  } catch (error) {
    database.close();
    throw error;
  }
}

function checkPages(database: Database.Database): void {
  const { quick_check: verdict } = database.prepare('PRAGMA quick_check(1)').get() as { quick_check: string };
  if (verdict !== 'ok') throw Object.assign(new Error(verdict.replaceAll('\n', ' ')), { code: 'SQLITE_CORRUPT' });
}

function prepare(database: Database.Database) {
  return {
    savePlan: database.prepare(
      `INSERT INTO last_good_plan (pipeline, spec_digest, plan, at_epoch_ms) VALUES (?, ?, ?, ?)
       ON CONFLICT (pipeline) DO UPDATE SET
         spec_digest = excluded.spec_digest, plan = excluded.plan, at_epoch_ms = excluded.at_epoch_ms`,
    ),
    plan: database.prepare('SELECT plan FROM last_good_plan WHERE pipeline = ? AND spec_digest = ?'),
    addDecision: database.prepare('INSERT INTO decision (pipeline, record) VALUES (?, ?)'),
    forgetDecisions: database.prepare(
      `DELETE FROM decision WHERE pipeline = ? AND id <=
         (SELECT id FROM decision WHERE pipeline = ? ORDER BY id DESC LIMIT 1 OFFSET ?)`,
    ),
    decisions: database.prepare('SELECT record FROM decision WHERE pipeline = ? ORDER BY id DESC LIMIT ?'),
  };
}

function attempt<Result>(path: string, work: () => Result): Result {
  try {
    return work();
  } catch (error) {
    throw error instanceof AppError ? error : storeFailure(path, error);
  }
}

function storeFailure(path: string, cause: unknown): AppError {
  const { code, message } = cause as { readonly code?: string; readonly message?: string };
  const busy = code?.startsWith('SQLITE_BUSY') === true;
  const remedy =
    code === 'SQLITE_CORRUPT' || code === 'SQLITE_NOTADB' || cause instanceof SyntaxError
      ? `it is damaged; move it away (with its -wal and -shm files) to start with an empty one`
      : busy
        ? 'another process holds it; stop that one or wait'
        : 'check the disk and the permissions of its folder';
  return new AppError('STORE_FAILED', `The state file ${path} failed (${message ?? String(cause)}): ${remedy}.`, {
    details: { path, ...(code === undefined ? {} : { code }) },
    retryable: busy,
    cause,
  });
}

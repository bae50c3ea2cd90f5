import { existsSync, renameSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { AppError } from '@equipoise/core/model';
import Database from 'libsql';
import { makeFolder } from '../make-folder.js';

const BUSY_TIMEOUT_MS = 2000;

/** Opens or creates a file of at most `mostBytes`. */
export function openStateFile(path: string, mostBytes: number): Database.Database {
  makeFolder(dirname(path));
  const database = new Database(path);
  try {
    database.pragma(`busy_timeout = ${BUSY_TIMEOUT_MS}`);
    database.pragma('journal_mode = WAL');
    database.pragma('synchronous = FULL');
    const { page_size: pageBytes } = database.prepare('PRAGMA page_size').get() as { page_size: number };
    if (statSync(path).size % pageBytes !== 0 && !hasLog(path)) throw corrupt('the file ends within a page');
    database.pragma(`max_page_count = ${Math.max(1, Math.floor(mostBytes / pageBytes))}`);
    return database;
  } catch (error) {
    database.close();
    throw error;
  }
}

/**
 * Runs work in a transaction, all or nothing. A full disk ends the transaction; libsql's own wrapper would then report
 * only its failed ROLLBACK.
 */
export function inTransaction(database: Database.Database, work: () => void): void {
  database.exec('BEGIN IMMEDIATE');
  try {
    work();
    database.exec('COMMIT');
  } catch (error) {
    if (database.inTransaction) database.exec('ROLLBACK');
    throw error;
  }
}

export function checkPages(database: Database.Database): void {
  const checked = database.prepare('SELECT CAST(quick_check AS BLOB) AS verdict FROM pragma_quick_check(1)').get();
  // The verdict may quote a damaged file: see `bytesOf`.
  const verdict = (checked as { readonly verdict: Buffer }).verdict.toString();
  if (verdict !== 'ok') throw corrupt(verdict.replaceAll('\n', ' '));
}

/** A log may hold the rest of the last page. Without a log, SQLite would read the missing rest as zeros. */
function hasLog(path: string): boolean {
  return (statSync(`${path}-wal`, { throwIfNoEntry: false })?.size ?? 0) > 0;
}

function corrupt(problem: string): Error {
  return Object.assign(new Error(problem), { code: 'SQLITE_CORRUPT' });
}

/** Turns failures into STORE_FAILED with a remedy. */
export function attempt<Result>(path: string, work: () => Result): Result {
  try {
    return work();
  } catch (error) {
    throw error instanceof AppError ? error : storeFailure(path, error);
  }
}

/** True for the STORE_FAILED of a file that is not an intact database. */
export function isDamaged(error: unknown): boolean {
  const code = error instanceof AppError ? String(error.details['code']) : '';
  return damagedCodes.some((damaged) => code.startsWith(damaged));
}

/** Renames a file with its log; returns its new path. */
export function setAside(path: string, atEpochMs: number): string {
  const aside = `${path}.damaged-${atEpochMs}`;
  for (const end of ['', '-wal', '-shm']) {
    if (existsSync(path + end)) renameSync(path + end, aside + end);
  }
  return aside;
}

function storeFailure(path: string, cause: unknown): AppError {
  const { code, message } = cause as { readonly code?: string; readonly message?: string };
  const remedy = cause instanceof SyntaxError ? DAMAGED : remedyOf(code);
  return new AppError('STORE_FAILED', `The state file ${path} failed (${message ?? String(cause)}): ${remedy}.`, {
    details: { path, ...(code === undefined ? {} : { code }) },
    retryable: code?.startsWith('SQLITE_BUSY') === true,
    cause,
  });
}

const damagedCodes = ['SQLITE_CORRUPT', 'SQLITE_NOTADB'];
const DAMAGED = 'it is damaged; move it away (with its -wal and -shm files) to start with an empty one';

function remedyOf(code: string | undefined): string {
  if (damagedCodes.some((damaged) => code?.startsWith(damaged))) return DAMAGED;
  if (code?.startsWith('SQLITE_BUSY') === true) return 'another process has locked it; stop that process or wait';
  if (code === 'SQLITE_FULL') return 'make room on the disk, or move the file away to start with an empty one';
  return 'check the disk and the permissions of its folder';
}

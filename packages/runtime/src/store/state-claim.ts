/**
 * Exclusive claim of one server on a pipeline's state, because two servers would apply conflicting plans. The system
 * locks a file next to the state file for the life of the process, so no lock is left behind. Readers (`explain`,
 * `replay`) are not blocked.
 */
import { closeSync, openSync, readSync } from 'node:fs';
import { dirname } from 'node:path';
import { AppError } from '@equipoise/core/model';
import Database from 'libsql';
import { makeFolder } from '../make-folder.js';
import { attempt } from './state-file.js';

export interface ClaimedState {
  readonly path: string;
  readonly pipelineName: string;
}

/** Offset of SQLite's `user_version` (big-endian), which holds the owner's process id. */
const NUMBER_AT = 60;

/** Locks of this process, because opening a locked file again would release its lock. */
const held = new Set<string>();

export class StateClaim {
  readonly #lockPath: string;
  readonly #database: Database.Database;
  #released = false;

  /** Throws STATE_IN_USE if another server has the claim, STORE_FAILED if the file is not writable. */
  constructor({ path, pipelineName }: ClaimedState) {
    this.#lockPath = `${path}.${pipelineName}.lock`;
    const taken = (processId: number): AppError => inUse({ path, pipelineName }, processId);
    if (held.has(this.#lockPath)) throw taken(process.pid);
    this.#database = attempt(this.#lockPath, () => {
      makeFolder(dirname(path));
      const database = new Database(this.#lockPath);
      try {
        lock(database);
        return database;
      } catch (error) {
        database.close();
        throw isBusy(error) ? taken(holderOf(this.#lockPath)) : error;
      }
    });
    held.add(this.#lockPath);
  }

  release(): void {
    if (this.#released) return;
    this.#released = true;
    held.delete(this.#lockPath);
    // `close` releases the file some time later; the lock is released here.
    this.#database.exec('ROLLBACK');
    this.#database.close();
  }
}

/** Records the process id if possible. A full disk must not prevent a claim. */
function lock(database: Database.Database): void {
  database.pragma('busy_timeout = 100');
  // Without a journal, the number is overwritten in place, which needs no disk space.
  database.pragma('journal_mode = OFF');
  // Keeps the lock between transactions.
  database.pragma('locking_mode = EXCLUSIVE');
  database.exec('BEGIN EXCLUSIVE');
  database.exec('ROLLBACK');
  try {
    database.pragma(`user_version = ${process.pid}`);
  } catch {
    // Without the record, the error of a refused server names no owner or the previous one.
  }
  database.pragma('locking_mode = NORMAL');
  database.exec('BEGIN EXCLUSIVE');
}

const isBusy = (error: unknown): boolean =>
  String((error as { readonly code?: unknown }).code).startsWith('SQLITE_BUSY');

function holderOf(lockPath: string): number {
  const number = Buffer.alloc(4);
  const file = openSync(lockPath, 'r');
  try {
    readSync(file, number, 0, number.length, NUMBER_AT);
  } finally {
    closeSync(file);
  }
  return number.readUInt32BE();
}

/** `processId` 0: unknown. */
function inUse({ path, pipelineName }: ClaimedState, processId: number): AppError {
  const who = processId === 0 ? 'Another server' : `Another server (process ${processId})`;
  return new AppError(
    'STATE_IN_USE',
    `${who} serves pipeline ${pipelineName} from this folder and keeps its plans and decisions in ${path}: stop that server, serve a copy of the pipeline file in another folder, or use --fixed.`,
    { details: { path, ...(processId > 0 && { processId }) } },
  );
}

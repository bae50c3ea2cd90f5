/**
 * One server that adapts a pipeline from a folder: two would put plans in force by what the other has learned and asked for. A file beside the state file is
 * locked for as long as the server lives. The lock is the system's: it ends with the process, however that ends, so there is never one
 * left to clear away, and readers of the state file (`explain`, `replay`) are not held up by it.
 */
import { closeSync, mkdirSync, openSync, readSync } from 'node:fs';
import { dirname } from 'node:path';
import { AppError } from '@equipoise/core/model';
import Database from 'libsql';
import { attempt } from './state-file.js';

/** The place that a server claims. */
export interface ClaimedState {
  /** Of the state file. */
  readonly path: string;
  readonly pipelineName: string;
}

/** Where SQLite keeps the number that says whose the file is (`user_version`, big-endian). */
const NUMBER_AT = 60;

/** Locks of this process: opening the file of one once more would let go of it. */
const held = new Set<string>();

/** A claim; `release` gives it up. */
export class StateClaim {
  readonly #lockPath: string;
  readonly #database: Database.Database;
  #released = false;

  /** Claims the state; AppError STATE_IN_USE where another server has it, STORE_FAILED where the file cannot be written. */
  constructor({ path, pipelineName }: ClaimedState) {
    this.#lockPath = `${path}.${pipelineName}.lock`;
    const taken = (processId: number): AppError => inUse({ path, pipelineName }, processId);
    if (held.has(this.#lockPath)) throw taken(process.pid);
    this.#database = attempt(this.#lockPath, () => {
      mkdirSync(dirname(path), { recursive: true });
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
    // The file is let go of some time behind `close`, its lock here.
    this.#database.exec('ROLLBACK');
    this.#database.close();
  }
}

/** Locks the file for this process, and says so in it where it can be written: a disk that is full must not keep a server from its state. */
function lock(database: Database.Database): void {
  database.pragma('busy_timeout = 100');
  // The number is written in its place then, for which no room is needed, and what fails of that leaves nothing to be undone.
  database.pragma('journal_mode = OFF');
  // What is locked stays so from one transaction to the next: nobody comes in between.
  database.pragma('locking_mode = EXCLUSIVE');
  database.exec('BEGIN EXCLUSIVE');
  database.exec('ROLLBACK');
  try {
    database.pragma(`user_version = ${process.pid}`);
  } catch {
    // Who is refused is told no process then, or that of before.
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

/** `processId` is 0 where that is not known. */
function inUse({ path, pipelineName }: ClaimedState, processId: number): AppError {
  const who = processId === 0 ? 'Another server' : `Another server (process ${processId})`;
  return new AppError(
    'STATE_IN_USE',
    `${who} serves pipeline ${pipelineName} from this folder and keeps its plans and decisions in ${path}: stop that one, or serve a copy of the pipeline file in a folder of its own, or with --fixed.`,
    { details: { path, ...(processId > 0 && { processId }) } },
  );
}

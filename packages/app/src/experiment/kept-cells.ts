/** Finished cells in a folder, one file each, named by the digest of their input. */
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { AppError } from '@equipoise/core/model';
import { makeFolder } from '@equipoise/runtime/make-folder';
import { writeWhole } from '../cells/write-whole.js';
import { type CellOutcome, cellName, type ExperimentCell } from './experiment-cell.js';
import { hasRaw } from './raw-requests.js';

interface KeptCell {
  readonly digest: string;
  /** Digest of the outcome: a file that was changed later is no result. */
  readonly sum: string;
  readonly outcome: CellOutcome;
}

export class KeptCells {
  readonly folder: string;

  /** Throws STORE_FAILED. */
  constructor(folder: string) {
    this.folder = folder;
    try {
      makeFolder(folder);
      for (const file of readdirSync(folder)) if (isLeftOver(file)) rmSync(join(folder, file), { force: true });
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message : String(cause);
      const message = `The results cannot be saved in ${folder}: ${reason}. Name another folder with --out.`;
      throw new AppError('STORE_FAILED', message, { cause });
    }
  }

  /** Undefined for a cell whose requests are asked for but not kept. */
  find(cell: ExperimentCell): CellOutcome | undefined {
    try {
      const { digest, sum, outcome } = JSON.parse(readFileSync(this.#fileOf(cell), 'utf8')) as KeptCell;
      const isWhole = outcome.kind === 'infeasible' || hasRaw(cell.rawFile);
      return digest === cell.digest && sum === sumOf(outcome) && isWhole ? named(outcome, cell) : undefined;
    } catch {
      // A missing or unreadable cell runs again.
      return undefined;
    }
  }

  keep({ digest, ...cell }: ExperimentCell, outcome: CellOutcome): void {
    const kept = named(outcome, cell);
    writeWhole(this.#fileOf({ digest }), `${JSON.stringify({ digest, sum: sumOf(kept), outcome: kept })}\n`);
  }

  #fileOf({ digest }: Pick<ExperimentCell, 'digest'>): string {
    return join(this.folder, `${digest}.json`);
  }
}

const sumOf = (outcome: CellOutcome): string =>
  createHash('sha256').update(JSON.stringify(outcome)).digest('hex').slice(0, 16);

/** True for a file of an interrupted write. */
function isLeftOver(file: string): boolean {
  const [, pid] = /\.(\d+)\.part$/.exec(file) ?? [];
  return pid !== undefined && !isRunning(Number(pid));
}

function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

function named(outcome: CellOutcome, cell: Omit<ExperimentCell, 'digest'>): CellOutcome {
  return outcome.kind === 'measured'
    ? { ...outcome, result: { ...outcome.result, ...cellName(cell) } }
    : { ...outcome, cell: { ...outcome.cell, ...cellName(cell) } };
}

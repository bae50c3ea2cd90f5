/** Finished cells in a folder, one file each, named by the digest of their inputs: what is there is whole, and belongs to these inputs. */
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { AppError } from '@equipoise/core';
import type { CellResult, ExperimentCell } from './experiment-cell.js';

/** The folder of finished cells. */
export class KeptCells {
  readonly #folder: string;

  /** Makes the folder; throws AppError STORE_FAILED where that is not possible. */
  constructor(folder: string) {
    this.#folder = folder;
    try {
      mkdirSync(folder, { recursive: true });
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message : String(cause);
      throw new AppError(
        'STORE_FAILED',
        `The results cannot be kept in ${folder}: ${reason}. Name another folder with --out.`,
        { cause },
      );
    }
  }

  /** The result of a cell that was finished before under the name that it has now. */
  find(cell: ExperimentCell): CellResult | undefined {
    try {
      const kept = JSON.parse(readFileSync(this.#fileOf(cell), 'utf8')) as CellResult;
      return { ...kept, pipeline: cell.pipeline, load: cell.load };
    } catch {
      // Not there, or unreadable: it is simulated again.
      return undefined;
    }
  }

  keep(cell: ExperimentCell, result: CellResult): void {
    const file = this.#fileOf(cell);
    writeFileSync(`${file}.part`, JSON.stringify(result));
    renameSync(`${file}.part`, file);
  }

  #fileOf({ digest }: ExperimentCell): string {
    return join(this.#folder, `${digest}.json`);
  }
}

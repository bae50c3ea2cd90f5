/** Raw figures of a cell: one line of CSV for each request, also those before the counted seconds. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { AppError } from '@equipoise/core/model';
import { makeFolder } from '@equipoise/runtime/make-folder';
import { writeWhole } from '../cells/write-whole.js';
import type { CellName } from './experiment-cell.js';

/** Times in ms from the start of the load. `outcome`: completed, failed, or reason of a drop. */
export interface RawRequest {
  readonly scheduledAtMs: number;
  readonly startedAtMs: number;
  readonly latencyMs: number;
  readonly outcome: string;
  readonly accuracy: number;
}

const HEAD = 'scheduled_ms,started_ms,latency_ms,outcome,accuracy';

/** Name of a file; the digest separates cells of other inputs. */
function rawFileName({ pipeline, load, policy, seed, platform }: CellName, digest: string): string {
  const words = [pipeline, load, policy, `seed-${seed}`, platform, digest.slice(0, 8)];
  return `${words.map((word) => word.replaceAll(/[^A-Za-z0-9.-]+/g, '_')).join('-')}.csv`;
}

/** Sorts by scheduled instant. Throws STORE_FAILED. */
export function writeRaw(path: string, requests: readonly RawRequest[]): void {
  const rows = [...requests]
    .sort((a, b) => a.scheduledAtMs - b.scheduledAtMs)
    .map(({ scheduledAtMs, startedAtMs, latencyMs, outcome, accuracy }) =>
      [scheduledAtMs.toFixed(3), startedAtMs.toFixed(3), latencyMs.toFixed(3), outcome, accuracy.toPrecision(6)].join(
        ',',
      ),
    );
  writeWhole(path, `${[HEAD, ...rows].join('\n')}\n`);
}

/** Raw file of a cell in a folder, which is made. Throws STORE_FAILED. */
export function rawFileIn(folder: string, cell: CellName, digest: string): string {
  try {
    makeFolder(folder);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    const message = `The requests cannot be saved in ${folder}: ${reason}. Name another folder with --raw.`;
    throw new AppError('STORE_FAILED', message, { details: { path: folder }, cause });
  }
  return join(folder, rawFileName(cell, digest));
}

export const hasRaw = (path: string | undefined): boolean => path === undefined || existsSync(path);

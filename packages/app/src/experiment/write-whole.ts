/** A file that is there as a whole or not at all, whatever ends the process in between. */
import { renameSync, writeFileSync } from 'node:fs';
import { AppError } from '@equipoise/core/model';

/** Writes beside, then renames; AppError STORE_FAILED names the path. The process id keeps two runs apart. */
export function writeWhole(path: string, text: string): void {
  const part = `${path}.${process.pid}.part`;
  try {
    writeFileSync(part, text);
    renameSync(part, path);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new AppError('STORE_FAILED', `${path} cannot be written: ${reason}`, { details: { path }, cause });
  }
}

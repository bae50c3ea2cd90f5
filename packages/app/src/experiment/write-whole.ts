import { renameSync, writeFileSync } from 'node:fs';
import { AppError } from '@equipoise/core/model';

/** Replaces a file atomically; throws STORE_FAILED. The process id separates concurrent runs. */
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

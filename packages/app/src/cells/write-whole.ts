import { renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { AppError } from '@equipoise/core/model';

/** Writes files to a folder; returns their paths. Throws STORE_FAILED. */
export function writeFiles(folder: string, texts: Readonly<Record<string, string>>): readonly string[] {
  return Object.entries(texts).map(([name, text]) => {
    const path = join(folder, name);
    writeWhole(path, text);
    return path;
  });
}

/** Replaces a file atomically; throws STORE_FAILED. The process id separates concurrent runs. */
export function writeWhole(path: string, text: string): void {
  const part = `${path}.${process.pid}.part`;
  try {
    writeFileSync(part, text);
    renameSync(part, path);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    const message = `${path} cannot be written: ${reason}. Free space on its disk, or name another folder.`;
    throw new AppError('STORE_FAILED', message, { details: { path }, cause });
  }
}

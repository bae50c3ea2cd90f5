import { constants } from 'node:fs';
import { access, stat, writeFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { AppError } from '@equipoise/core/model';
import { makeFolder } from '@equipoise/runtime/make-folder';

export interface OutputFile {
  write(document: unknown): Promise<void>;
  writeText(text: string): Promise<void>;
}

/**
 * Creates and checks the folder of an output file, so that failures precede the work. Throws STORE_FAILED if it is not
 * writable.
 */
export async function outputFile(path: string): Promise<OutputFile> {
  const filePath = resolve(path);
  const attempt = async (action: () => Promise<unknown>): Promise<void> => {
    try {
      await action();
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message : String(cause);
      throw new AppError('STORE_FAILED', `${path} cannot be written: ${reason}`, {
        details: { path: filePath },
        cause,
      });
    }
  };
  await attempt(async () => {
    makeFolder(dirname(filePath));
    await access(dirname(filePath), constants.W_OK);
    if (await isFolder(filePath)) throw new Error('it is a folder');
  });
  const writeText = (text: string) => attempt(() => writeFile(filePath, text));
  return { writeText, write: (document) => writeText(`${JSON.stringify(document, null, 2)}\n`) };
}

const isFolder = (path: string): Promise<boolean> =>
  stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  );

import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { type OwnPolicy, readOwnPolicy } from '@equipoise/core/control';
import { AppError, thrownText } from '@equipoise/core/model';

/** Loads a user's policy. Throws WRONG_USAGE for a file that is missing, fails or is not a policy. */
export async function loadOwnPolicy(path: string): Promise<OwnPolicy> {
  let module: Readonly<Record<string, unknown>>;
  try {
    module = (await import(pathToFileURL(resolve(path)).href)) as Readonly<Record<string, unknown>>;
  } catch (cause) {
    const reason = thrownText(cause).slice(0, 200);
    throw new AppError('WRONG_USAGE', `${path}: the policy cannot be loaded: ${reason}.`, { cause });
  }
  return readOwnPolicy(module, path);
}

/** Digest of the file, without files that it imports. */
export const policyDigest = (path: string): string =>
  createHash('sha256').update(readFileSync(path)).digest('hex').slice(0, 16);

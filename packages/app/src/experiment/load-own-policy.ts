import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { type OwnPolicy, readOwnPolicy } from '@equipoise/core/control';
import { AppError, thrownText } from '@equipoise/core/model';

/** Loads a user's policy. Throws POLICY_FAILED for a file that is missing, fails or is not a policy. */
export async function loadOwnPolicy(path: string): Promise<OwnPolicy> {
  try {
    // Reading the exports may call code of the policy.
    return readOwnPolicy((await import(pathToFileURL(resolve(path)).href)) as Readonly<Record<string, unknown>>, path);
  } catch (cause) {
    if (cause instanceof AppError) throw cause;
    const reason = thrownText(cause).slice(0, 200);
    throw new AppError('POLICY_FAILED', `${path}: the policy cannot be loaded: ${reason}.`, { cause });
  }
}

/** Digest of the file, without files that it imports. */
export const policyDigest = (path: string): string =>
  createHash('sha256').update(readFileSync(path)).digest('hex').slice(0, 16);

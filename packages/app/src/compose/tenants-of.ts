/** The tenants of the serving port, from the token file. */
import { existsSync, readFileSync } from 'node:fs';
import { AppError } from '@equipoise/core/model';
import { parseTenantFile, type TenantEntry, Tenants } from '@equipoise/runtime';
import type { Reloads } from './reloads.js';

/**
 * Whose token clients have to show, undefined without a file; read again with everything else. AppError FILE_NOT_FOUND, or WRONG_USAGE
 * where the file is no token file.
 */
export function tenantsOf(tokenFile: string | undefined, reloads: Reloads): Tenants | undefined {
  if (tokenFile === undefined) return undefined;
  const tenants = new Tenants(entriesIn(tokenFile));
  reloads.add('the token file', () => tenants.replace(entriesIn(tokenFile)));
  return tenants;
}

function entriesIn(path: string): readonly TenantEntry[] {
  if (!existsSync(path)) throw new AppError('FILE_NOT_FOUND', `There is no token file ${path}.`, { details: { path } });
  return parseTenantFile(readFileSync(path, 'utf8'), path);
}

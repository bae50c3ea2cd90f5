/** A token that is kept in a file, so that it is in no list of processes. */
import { existsSync, readFileSync } from 'node:fs';
import { AppError } from '@equipoise/core/model';

/** The token in a file, undefined without one; AppError FILE_NOT_FOUND, or WRONG_USAGE where the file holds none. */
export function tokenIn(path: string | undefined): string | undefined {
  if (path === undefined) return undefined;
  if (!existsSync(path)) throw new AppError('FILE_NOT_FOUND', `There is no token file ${path}.`, { details: { path } });
  const token = readFileSync(path, 'utf8').trim();
  if (/^\S+$/.test(token)) return token;
  throw new AppError('WRONG_USAGE', `The token file ${path} must hold one token without spaces.`);
}

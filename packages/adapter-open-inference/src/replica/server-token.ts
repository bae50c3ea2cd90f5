import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import type { LaunchRequest } from '@equipoise/core/ports';
import { cannotStart, serverOf } from './start-server-runner.js';

/** Token of the server; undefined if it needs none. Throws MODEL_LOAD_FAILED if the token is missing. */
export function tokenFor(request: LaunchRequest): string | undefined {
  const { token: place } = serverOf(request);
  if (place === undefined) return undefined;
  const [held, where] = 'env' in place ? fromEnvironment(place.env) : fromFile(resolve(request.baseDir, place.file));
  const token = held?.trim();
  if (token !== undefined && /^[\x21-\x7e]+$/.test(token)) return token;
  throw cannotStart(
    request,
    `${where} ${held === undefined ? 'is not there' : 'does not hold one token without spaces'}.`,
  );
}

function fromEnvironment(name: string): readonly [string | undefined, string] {
  return [process.env[name], `the environment variable ${name}, which holds the token of its server,`];
}

function fromFile(path: string): readonly [string | undefined, string] {
  const where = `the file ${path}, which holds the token of its server,`;
  try {
    return [readFileSync(path, 'utf8'), where];
  } catch {
    return [undefined, where];
  }
}

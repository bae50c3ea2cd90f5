import { homedir } from 'node:os';
import { join } from 'node:path';

/** Folder of what may be lost: EQUIPOISE_CACHE_DIR, or else `equipoise` in the user's cache folder. */
export function cacheFolder(environment: Readonly<Record<string, string | undefined>>): string {
  return (
    environment['EQUIPOISE_CACHE_DIR'] || join(environment['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'equipoise')
  );
}

/** Text of commands that the user can copy into a shell. */
import { existsSync, realpathSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const COMMAND = fileURLToPath(new URL('../../bin/equipoise', import.meta.url));
export const BY_NPX = 'npx equipoise';

/**
 * Command that runs this program in a folder. `npx` would ask the registry if the program is not installed there, or in
 * a folder above.
 */
export function commandIn(folder: string): string {
  for (let at = folder, below = ''; at !== below; [at, below] = [dirname(at), at])
    if (existsSync(join(at, 'node_modules', '.bin', 'equipoise'))) return BY_NPX;
  // A running npx adds folders to PATH that the user's shell does not have.
  const isOnPath = (process.env['PATH'] ?? '')
    .split(delimiter)
    .some((entry) => !entry.includes('node_modules') && isThisCommand(join(entry, 'equipoise')));
  if (isOnPath) return 'equipoise';
  return shellWord(COMMAND);
}

export function shellWord(path: string): string {
  return /^[\w@%+=:,./-]+$/.test(path) ? path : `'${path.replaceAll("'", "'\\''")}'`;
}

function isThisCommand(path: string): boolean {
  return existsSync(path) && realpathSync(path) === realpathSync(COMMAND);
}

/** Helm of the suites: given by EQUIPOISE_HELM, compiled by `npm run helm:build`, or on the PATH. */
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const modules = fileURLToPath(new URL('../../../scripts/helm/go.mod', import.meta.url));

export function helmProgram(): string {
  const given = process.env['EQUIPOISE_HELM'];
  if (given !== undefined && given !== '') return given;
  const [, version = ''] = /^require helm\.sh\/helm\/v3 (\S+)/m.exec(readFileSync(modules, 'utf8')) ?? [];
  const cache = process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache');
  const built = join(cache, 'equipoise', 'helm', version, 'helm');
  return existsSync(built) ? built : 'helm';
}

export const hasHelm = (): boolean => spawnSync(helmProgram(), ['version']).status === 0;

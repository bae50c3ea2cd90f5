/** Paths of the control plane programs that `npm run kube:build` compiled, outside the clone. */
import { existsSync, readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Tool } from '@equipoise/testkit';

const modules = fileURLToPath(new URL('../../../../scripts/kube-binaries/control-plane/go.mod', import.meta.url));

/** Folder of the programs, which may not exist. */
export function kubeBinariesFolder(): string {
  const given = process.env['EQUIPOISE_KUBE_BINARIES'];
  if (given !== undefined && given !== '') return given;
  const [, version = ''] = /^require k8s\.io\/kubernetes (\S+)/m.exec(readFileSync(modules, 'utf8')) ?? [];
  return path.join(process.env['XDG_CACHE_HOME'] ?? path.join(homedir(), '.cache'), 'equipoise', 'kube', version);
}

/** Files that the build writes last: `built` after all programs of a node. */
const STAMPS = ['built', 'built-control-plane'];

/** API server, controller manager and scheduler. */
export const controlPlane: Tool = {
  name: 'kube-apiserver',
  missing: 'not built: npm run kube:build',
  isPresent: () => STAMPS.some((stamp) => existsSync(path.join(kubeBinariesFolder(), stamp))),
};

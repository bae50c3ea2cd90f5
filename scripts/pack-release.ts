/**
 * `npm run pack [FOLDER]`: builds the tarballs that install Equipoise with `npm install ./FILE`:
 * `equipoise-VERSION.tgz`, and `equipoise-server-VERSION.tgz` for servers.
 */
import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { type Variant, writeReleaseTree } from './release/release-tree.js';

const destination = resolve(process.argv[2] ?? 'release');
mkdirSync(destination, { recursive: true });

function pack(variant: Variant): string {
  const tree = mkdtempSync(join(tmpdir(), 'equipoise-release-'));
  try {
    writeReleaseTree(process.cwd(), tree, variant);
    const packed = execFileSync('npm', ['pack', '--silent'], { cwd: tree, encoding: 'utf8' }).trim();
    const name = variant === 'server' ? packed.replace(/^equipoise-/, 'equipoise-server-') : packed;
    const path = join(destination, name);
    copyFileSync(join(tree, packed), path);
    return path;
  } finally {
    rmSync(tree, { recursive: true, force: true });
  }
}

for (const variant of ['complete', 'server'] as const) process.stdout.write(`${pack(variant)}\n`);

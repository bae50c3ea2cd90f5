/** `npm run pack [FOLDER]`: builds the tarball that installs Equipoise with `npm install ./equipoise-VERSION.tgz`. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { writeReleaseTree } from './release/release-tree.js';

const destination = resolve(process.argv[2] ?? 'release');
const tree = mkdtempSync(join(tmpdir(), 'equipoise-release-'));
mkdirSync(destination, { recursive: true });
try {
  writeReleaseTree(process.cwd(), tree);
  const name = execFileSync('npm', ['pack', '--silent', '--pack-destination', destination], {
    cwd: tree,
    encoding: 'utf8',
  });
  process.stdout.write(`${join(destination, name.trim())}\n`);
} finally {
  rmSync(tree, { recursive: true, force: true });
}

/**
 * `npm run image:build -- [--out FILE.tar] [--name NAME:TAG] [--pipeline FOLDER] [--release FILE.tgz]`: makes an image
 * as an OCI archive, and prints its digest. The default release is packed from this repository.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { buildImage } from './image/build-image.js';

const root = process.cwd();
const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { readonly version: string };
const { values } = parseArgs({
  options: {
    out: { type: 'string', default: `release/equipoise-${version}.image.tar` },
    name: { type: 'string', default: `equipoise:${version}` },
    pipeline: { type: 'string' },
    release: { type: 'string' },
  },
});

if (process.platform !== 'linux')
  throw new Error('An image takes Node and its libraries from this machine, so build it on Linux.');
if (!/^[a-z0-9][a-z0-9._/:-]*:[\w][\w.-]*$/.test(values.name))
  throw new Error(`--name: expected a name with a tag, such as equipoise:${version}, got ${values.name}`);

const work = mkdtempSync(join(tmpdir(), 'equipoise-pack-'));
try {
  const pack = ['--no-install', 'tsx', 'scripts/pack-release.ts', work];
  const [packed = ''] = values.release ? [] : execFileSync('npx', pack, { cwd: root, encoding: 'utf8' }).split('\n');
  const { archive, components, digest } = await buildImage({
    root,
    release: resolve(values.release ?? packed),
    archive: resolve(values.out),
    name: values.name,
    pipeline: values.pipeline && resolve(values.pipeline),
  });
  console.error(`${archive}\n${components}`);
  console.log(digest);
} finally {
  rmSync(work, { recursive: true, force: true });
}

/**
 * An image of Equipoise without a daemon, a registry or a base image: Node with its libraries, the packages of the
 * release, the release itself, and optionally the folder of a pipeline. Its user may write to no file.
 */
import { createReadStream, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { createGunzip } from 'node:zlib';
import { extract } from 'tar-stream';
import { componentList } from './components.js';
import { type ImageEntry, text, tree } from './image-entry.js';
import { type Image, writeArchive } from './oci-archive.js';
import { nativeFiles, neededPackages, type PackageManifest, packageFiles } from './package-files.js';
import { scanArchive } from './scan-archive.js';
import { systemFiles, systemPackages } from './system-files.js';

const HOME = 'opt/equipoise';
const RELEASE = `${HOME}/node_modules/equipoise`;

export interface ImageRequest {
  /** Root of the repository, with installed packages. */
  readonly root: string;
  /** Tarball of `npm run pack`. */
  readonly release: string;
  /** Path of the archive to write. The list of components is written next to it. */
  readonly archive: string;
  readonly name: string;
  /** Folder to place in /pipeline. */
  readonly pipeline?: string | undefined;
}

export interface BuiltImage {
  readonly archive: string;
  readonly components: string;
  readonly digest: string;
}

/** Throws with all problems if the image would have files that no image may have; then nothing is written. */
export async function buildImage({ root, release, archive, name, pipeline }: ImageRequest): Promise<BuiltImage> {
  const own = await releaseFiles(release);
  const manifest = manifestIn(own);
  const packages = neededPackages(root, manifest);
  const programs = nativeFiles(root, packages);
  const list = componentList({ release: manifest, packages, system: systemPackages(programs) });
  const system = systemFiles(programs, commandOf(own));
  const lowest = [...system, text(`${HOME}/sbom.cdx.json`, list)];
  const layers = [lowest, packageFiles(root, HOME, packages), own, ...(pipeline ? [pipelineFiles(pipeline)] : [])];
  mkdirSync(dirname(archive), { recursive: true });
  const work = mkdtempSync(join(dirname(archive), 'image-'));
  try {
    const made = join(work, 'image.tar');
    const digest = await writeArchive({ name, layers, config: configOf(manifest) }, made, work);
    const problems = await scanArchive(made);
    if (problems.length > 0) throw new Error(`The image is refused:\n  ${problems.join('\n  ')}`);
    renameSync(made, archive);
    const components = archive.replace(/(\.tar)?$/, '.cdx.json');
    writeFileSync(components, list);
    return { archive, components, digest };
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

const pipelineFiles = (folder: string): readonly ImageEntry[] =>
  tree('pipeline', folder, (path) => path.endsWith('/.git'));

/** Files of the tarball, below their place in the image. */
async function releaseFiles(release: string): Promise<readonly ImageEntry[]> {
  const entries: ImageEntry[] = [];
  for await (const entry of createReadStream(release).pipe(createGunzip()).pipe(extract())) {
    const { name, mode = 0, type } = entry.header;
    const chunks: Buffer[] = [];
    for await (const chunk of entry) chunks.push(chunk as Buffer);
    if (type !== 'file') continue;
    const bytes = Buffer.concat(chunks);
    const path = name.replace(/^package\//, `${RELEASE}/`);
    const content = { kind: 'file', read: () => bytes } as const;
    entries.push({ path, mode: (mode & 0o111) === 0 ? 0o644 : 0o755, content });
  }
  return entries;
}

function manifestIn(own: readonly ImageEntry[]): PackageManifest & { readonly bin?: Readonly<Record<string, string>> } {
  const found = own.find(({ path }) => path === `${RELEASE}/package.json`);
  if (found?.content.kind !== 'file') throw new Error('The release has no package.json: make it with npm run pack.');
  return JSON.parse(found.content.read().toString('utf8'));
}

/** The script of the command, which finds its module at the fixed place: the image has no programs to look for it. */
function commandOf(own: readonly ImageEntry[]): string {
  const [path = ''] = Object.values(manifestIn(own).bin ?? {});
  const found = own.find((entry) => entry.path === `${RELEASE}/${path.replace(/^\.\//, '')}`);
  const script = found?.content.kind === 'file' ? found.content.read().toString('utf8') : '';
  const fixed = script.replace(/^entry=.*$/m, `entry=/${RELEASE}/bin/equipoise.js`);
  if (fixed === script) throw new Error('The release has no command that sets `entry`: make it with npm run pack.');
  return fixed;
}

const configOf = ({ version }: PackageManifest): Image['config'] => ({
  Entrypoint: ['equipoise'],
  Cmd: ['serve', 'pipeline.yaml', '--host', '0.0.0.0'],
  Env: ['PATH=/usr/local/bin', 'NODE_ENV=production', 'NO_COLOR=1', 'HOME=/tmp'],
  User: '1000:1000',
  WorkingDir: '/pipeline',
  ExposedPorts: { '8080/tcp': {} },
  Labels: {
    'org.opencontainers.image.title': 'equipoise',
    'org.opencontainers.image.version': version,
    'org.opencontainers.image.licenses': 'Apache-2.0',
  },
});

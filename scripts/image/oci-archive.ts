/**
 * An image as an archive in the OCI layout. The same entries give the same bytes: times are 0, root owns every file, and
 * layers are not compressed, because compressed bytes would depend on the version of zlib.
 */
import { createHash } from 'node:crypto';
import { createWriteStream, statSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { type Header, type Pack, pack } from 'tar-stream';
import { type ImageEntry, ordered } from './image-entry.js';

const EPOCH = new Date(0);

export interface Descriptor {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
}

/** Layers, from the lowest to the highest, and how a container starts. */
export interface Image {
  readonly name: string;
  readonly layers: readonly (readonly ImageEntry[])[];
  readonly config: {
    readonly Entrypoint: readonly string[];
    readonly Cmd: readonly string[];
    readonly Env: readonly string[];
    readonly User: string;
    readonly WorkingDir: string;
    readonly ExposedPorts: Readonly<Record<string, object>>;
    readonly Labels: Readonly<Record<string, string>>;
  };
}

/** Writes the archive; returns the digest of the manifest. `work`: folder for layers. */
export async function writeArchive(image: Image, archive: string, work: string): Promise<string> {
  const layers: (Descriptor & { readonly path: string })[] = [];
  for (const [index, entries] of image.layers.entries())
    layers.push(await writeLayer(entries, join(work, `layer-${index}.tar`)));
  const config = blobOf('application/vnd.oci.image.config.v1+json', {
    created: EPOCH.toISOString(),
    architecture: process.arch === 'x64' ? 'amd64' : process.arch,
    os: 'linux',
    config: image.config,
    rootfs: { type: 'layers', diff_ids: layers.map(({ digest }) => digest) },
    history: layers.map(() => ({ created: EPOCH.toISOString(), created_by: 'equipoise image:build' })),
  });
  const manifest = blobOf('application/vnd.oci.image.manifest.v1+json', {
    schemaVersion: 2,
    mediaType: 'application/vnd.oci.image.manifest.v1+json',
    config: config.descriptor,
    layers: layers.map(({ path: _, ...descriptor }) => descriptor),
  });
  const index = {
    schemaVersion: 2,
    mediaType: 'application/vnd.oci.image.index.v1+json',
    manifests: [{ ...manifest.descriptor, annotations: namesOf(image.name) }],
  };
  const tar = pack();
  const written = pipeline(tar as unknown as Readable, createWriteStream(archive));
  await add(tar, 'oci-layout', Buffer.from('{"imageLayoutVersion":"1.0.0"}'));
  await add(tar, 'index.json', Buffer.from(JSON.stringify(index)));
  for (const { descriptor, bytes } of [config, manifest]) await add(tar, blobPath(descriptor), bytes);
  for (const layer of layers) await add(tar, blobPath(layer), await readFile(layer.path));
  tar.finalize();
  await written;
  return manifest.descriptor.digest;
}

const blobPath = ({ digest }: Descriptor): string => `blobs/${digest.replace(':', '/')}`;

/** containerd imports under the full name; other tools take the tag. */
const namesOf = (name: string): Readonly<Record<string, string>> => ({
  'io.containerd.image.name': fullName(name),
  'org.opencontainers.image.ref.name': name.split(':').at(-1) ?? name,
});

/** Name with the registry and folder that clients of Docker imply. */
export function fullName(name: string): string {
  const [first = '', ...rest] = name.split('/');
  if (rest.length === 0) return `docker.io/library/${name}`;
  return first.includes('.') || first.includes(':') || first === 'localhost' ? name : `docker.io/${name}`;
}

function blobOf(mediaType: string, content: unknown): { readonly descriptor: Descriptor; readonly bytes: Buffer } {
  const bytes = Buffer.from(JSON.stringify(content));
  const digest = `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
  return { descriptor: { mediaType, digest, size: bytes.length }, bytes };
}

async function writeLayer(entries: readonly ImageEntry[], path: string) {
  const tar = pack();
  const hash = createHash('sha256');
  tar.on('data', (chunk) => hash.update(chunk as Buffer));
  const written = pipeline(tar as unknown as Readable, createWriteStream(path));
  for (const entry of ordered(entries)) await addEntry(tar, entry);
  tar.finalize();
  await written;
  const digest = `sha256:${hash.digest('hex')}`;
  return { mediaType: 'application/vnd.oci.image.layer.v1.tar', digest, size: statSync(path).size, path };
}

function addEntry(tar: Pack, { path, mode, content }: ImageEntry): Promise<void> {
  if (content.kind === 'file') return add(tar, path, content.read(), { mode });
  if (content.kind === 'folder') return add(tar, `${path}/`, undefined, { mode, type: 'directory' });
  return add(tar, path, undefined, { mode, type: 'symlink', linkname: content.target });
}

function add(tar: Pack, name: string, bytes?: Buffer, more: Partial<Header> = {}): Promise<void> {
  const header = { name, mode: 0o644, mtime: EPOCH, uid: 0, gid: 0, ...more };
  return new Promise((resolve, reject) => {
    const done = (error?: Error | null) => (error ? reject(error) : resolve());
    if (bytes === undefined) tar.entry(header, done);
    else tar.entry({ ...header, size: bytes.length }, bytes, done);
  });
}

/** Reads a finished archive and lists what no image may contain. With it, a process of the image's user can write to no file. */
import { createReadStream } from 'node:fs';
import { type Extract, extract, type Header } from 'tar-stream';

const KINDS: readonly unknown[] = ['file', 'directory', 'symlink', 'link'];

interface Blobs {
  readonly manifests?: readonly { readonly digest: string }[];
  readonly layers?: readonly { readonly digest: string }[];
}

/** Problems of all layers, each with its path. Index and manifest come before the layers. */
export async function scanArchive(archive: string): Promise<readonly string[]> {
  const content: Content = { problems: [], paths: new Set(), absoluteLinks: [] };
  const manifests = new Set(['index.json']);
  const layers = new Set<string>();
  for await (const entry of createReadStream(archive).pipe(extract())) {
    const name = entry.header.name.replace('blobs/sha256/', 'sha256:');
    if (manifests.has(name)) {
      const blobs = JSON.parse(await textOf(entry)) as Blobs;
      for (const { digest } of blobs.manifests ?? []) manifests.add(digest);
      for (const { digest } of blobs.layers ?? []) layers.add(digest);
    } else if (layers.delete(name)) {
      await scanLayer(entry.pipe(extract()), content);
    }
    entry.resume();
  }
  const missing = [...layers].map((digest) => `the layer ${digest} is missing`);
  if (manifests.size === 1) return ['the archive has no manifest'];
  return [...content.problems, ...linksToNothing(content), ...missing];
}

/** Content of the layers scanned so far. */
interface Content {
  readonly problems: string[];
  readonly paths: Set<string>;
  readonly absoluteLinks: { readonly path: string; readonly target: string }[];
}

async function scanLayer(layer: Extract, { problems, paths, absoluteLinks }: Content): Promise<void> {
  for await (const file of layer) {
    const { header } = file;
    const { name, type, linkname = '' } = header;
    problems.push(...problemsOf(header).map((problem) => `/${name}: ${problem}`));
    paths.add(`/${name}`.replace(/\/+$/, ''));
    if (type === 'symlink' && linkname.startsWith('/')) absoluteLinks.push({ path: `/${name}`, target: linkname });
    file.resume();
  }
}

/** Links to files of the machine that built the image. Folders such as /lib are links into /usr. */
const linksToNothing = ({ paths, absoluteLinks }: Content): readonly string[] =>
  absoluteLinks
    .filter(({ target }) => [target, `/usr${target}`].every((each) => !paths.has(each.replace(/\/+$/, ''))))
    .map(({ path, target }) => `${path}: a link out of the image: ${target}`);

async function textOf(blob: AsyncIterable<unknown>): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of blob) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString('utf8');
}

function problemsOf({ name, type, mode = 0, uid, gid, linkname, pax }: Header): readonly string[] {
  const isLink = type === 'symlink';
  return [
    KINDS.includes(type) ? '' : `expected a file, folder or link, found a ${type}`,
    (mode & 0o4000) === 0 ? '' : 'set-uid: it would run with the rights of its owner',
    (mode & 0o2000) === 0 ? '' : 'set-gid: it would run with the rights of its group',
    (mode & 0o1000) === 0 ? '' : 'sticky: a folder for all to write',
    isLink || (mode & 0o022) === 0 ? '' : 'writable by others than its owner',
    uid === 0 && gid === 0 ? '' : `owned by ${uid}:${gid}, expected root`,
    Object.keys(pax ?? {}).some((key) => key.includes('security.capability')) ? 'has capabilities' : '',
    name.split('/').includes('..') || name.startsWith('/') ? 'a path that leads out of the image' : '',
    isLink && escapes(name, linkname ?? '') ? `a link out of the image: ${linkname}` : '',
  ].filter((problem) => problem !== '');
}

function escapes(name: string, target: string): boolean {
  if (target.startsWith('/')) return false;
  let depth = name.split('/').length - 1;
  for (const step of target.split('/')) {
    depth += step === '..' ? -1 : step === '.' || step === '' ? 0 : 1;
    if (depth < 0) return true;
  }
  return false;
}

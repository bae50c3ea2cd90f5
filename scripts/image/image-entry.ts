/**
 * Files of an image. Owner, times and order never depend on the machine. Permissions keep the bits that must not be in
 * an image (set-uid, set-gid, sticky, writable by all), so that `scan-archive.ts` finds them.
 */
import { lstatSync, readdirSync, readFileSync, readlinkSync, realpathSync } from 'node:fs';
import { join } from 'node:path';

export interface ImageEntry {
  /** Path below the root of the image, without a leading slash. */
  readonly path: string;
  readonly mode: number;
  readonly content:
    | { readonly kind: 'folder' }
    | { readonly kind: 'link'; readonly target: string }
    | { readonly kind: 'file'; readonly read: () => Buffer };
}

const REFUSED_BITS = 0o7002;

export const folder = (path: string): ImageEntry => ({ path, mode: 0o755, content: { kind: 'folder' } });

export const link = (path: string, target: string): ImageEntry => ({
  path,
  mode: 0o777,
  content: { kind: 'link', target },
});

export const text = (path: string, content: string, mode = 0o644): ImageEntry => ({
  path,
  mode,
  content: { kind: 'file', read: () => Buffer.from(content) },
});

/** A file of this machine; symbolic links are followed. */
export function file(path: string, source: string): ImageEntry {
  const real = realpathSync(source);
  return { path, mode: modeOf(lstatSync(real).mode), content: { kind: 'file', read: () => readFileSync(real) } };
}

/** Executable files get 755, others 644. */
const modeOf = (mode: number): number => ((mode & 0o111) === 0 ? 0o644 : 0o755) | (mode & REFUSED_BITS);

/**
 * Everything below a folder of this machine, except paths that `isLeftOut` names. Links inside it stay links. Throws for a
 * pipe, socket or device, whose reading may never end.
 */
export function tree(target: string, source: string, isLeftOut: (path: string) => boolean): readonly ImageEntry[] {
  return readdirSync(source, { withFileTypes: true }).flatMap((found) => {
    const [path, place] = [`${target}/${found.name}`, join(source, found.name)];
    if (isLeftOut(path)) return [];
    if (found.isSymbolicLink()) return [link(path, readlinkSync(place))];
    if (found.isFile()) return [file(path, place)];
    if (!found.isDirectory()) throw new Error(`${place}: expected a file, folder or link; remove it or move it away.`);
    const own: ImageEntry = { path, mode: 0o755 | (lstatSync(place).mode & REFUSED_BITS), content: { kind: 'folder' } };
    return [own, ...tree(path, place, isLeftOut)];
  });
}

/** Entries in the order of their paths, with the folders that lead to them. The last entry of a path counts. */
export function ordered(entries: readonly ImageEntry[]): readonly ImageEntry[] {
  const byPath = new Map<string, ImageEntry>();
  for (const { path } of entries) {
    const steps = path.split('/');
    for (let length = 1; length < steps.length; length++) {
      const above = steps.slice(0, length).join('/');
      byPath.set(above, folder(above));
    }
  }
  for (const entry of entries) byPath.set(entry.path, entry);
  return [...byPath.values()].sort((a, b) => (a.path < b.path ? -1 : 1));
}

/**
 * Files by digest, and the last known content of addresses. Files are renamed into place, so several processes can
 * share the folder.
 */
import { createHash, randomUUID } from 'node:crypto';
import { createReadStream, readFileSync, statSync } from 'node:fs';
import { mkdir, readdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';

/** Known content of an address: digest, server tag (ETag) and file name. */
export interface KnownContent {
  readonly reference: string;
  readonly sha256: string;
  readonly fileName: string;
  readonly etag?: string;
}

/** Older partial files are abandoned: their process has ended. */
const ABANDONED_AFTER_MS = 24 * 3_600_000;

const digestOf = (text: string): string => createHash('sha256').update(text).digest('hex');

export async function fileDigest(path: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(path)) hash.update(chunk as Uint8Array);
  return hash.digest('hex');
}

export class CacheFolder {
  readonly path: string;

  constructor(path: string) {
    this.path = path;
  }

  /** Known content of a reference; undefined also if its record is unreadable. */
  known(reference: string): KnownContent | undefined {
    try {
      const known = JSON.parse(readFileSync(this.#notePath(reference), 'utf8')) as KnownContent;
      return known.reference === reference && /^[0-9a-f]{64}$/.test(known.sha256) ? known : undefined;
    } catch {
      return undefined;
    }
  }

  async remember(known: KnownContent): Promise<void> {
    const path = this.#notePath(known.reference);
    await this.#placed(path, (part) => writeFile(part, `${JSON.stringify(known)}\n`, { mode: 0o600 }));
  }

  /** Path of content, which may not exist. */
  contentPath(sha256: string, fileName: string): string {
    return join(this.path, 'content', sha256, fileName);
  }

  has(path: string): boolean {
    return statSync(path, { throwIfNoEntry: false })?.isFile() === true;
  }

  /** Path for a partial file, on the same file system. */
  async partPath(): Promise<string> {
    const folder = join(this.path, 'parts');
    await mkdir(folder, { recursive: true, mode: 0o700 });
    await this.#removeAbandoned(folder);
    return join(folder, randomUUID());
  }

  async keep(part: string, path: string): Promise<void> {
    await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    await rename(part, path);
  }

  async #placed(path: string, write: (part: string) => Promise<void>): Promise<void> {
    const part = await this.partPath();
    await write(part);
    await this.keep(part, path);
  }

  async #removeAbandoned(folder: string): Promise<void> {
    for (const name of await readdir(folder)) {
      const path = join(folder, name);
      const found = await stat(path).catch(() => undefined);
      if (found !== undefined && Date.now() - found.mtimeMs > ABANDONED_AFTER_MS) await rm(path, { force: true });
    }
  }

  #notePath(reference: string): string {
    return join(this.path, 'addresses', `${digestOf(reference)}.json`);
  }
}

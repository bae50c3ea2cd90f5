/**
 * Downloads each remote artifact once. Cached content with a stated digest is used without a request. Otherwise each
 * process asks the server once whether the content has changed. If that fails, the process uses cached content with a
 * warning. Corrupt content is fetched again.
 */
import { rm } from 'node:fs/promises';
import { AppError } from '@equipoise/core/model';
import { type ArtifactAddress, artifactAddress, fileNameOf, isAddress, shownAddress } from './artifact-address.js';
import { CacheFolder, fileDigest, type KnownContent } from './cache-folder.js';
import type { DownloadError, Downloaded, DownloadLimits, DownloadProgress, DownloadRequest } from './download.js';
import type { Environment } from './s3-requests.js';

export interface FetchLimits extends DownloadLimits {
  /** Delays before retries, one retry per entry. */
  readonly retryDelaysMs: readonly number[];
}

const DEFAULT_LIMITS: FetchLimits = {
  maxBytes: 32 * 2 ** 30,
  maxSilenceMs: 30_000,
  retryDelaysMs: [500, 2_000],
};

export interface ArtifactCacheOptions {
  readonly folder: string;
  /** Environment variables with endpoint and keys of an S3 store. */
  readonly environment: Environment;
  readonly limits?: Partial<FetchLimits>;
  readonly onProgress?: (reference: string, progress: DownloadProgress) => void;
  readonly onWarning?: (message: string) => void;
}

export class ArtifactCache {
  readonly #folder: CacheFolder;
  readonly #options: ArtifactCacheOptions;
  readonly #limits: FetchLimits;
  /** Downloads by reference and digest, so that concurrent calls share one download. */
  readonly #found = new Map<string, Promise<string>>();

  constructor(options: ArtifactCacheOptions) {
    this.#options = options;
    this.#folder = new CacheFolder(options.folder);
    this.#limits = { ...DEFAULT_LIMITS, ...options.limits };
  }

  /** Path of cached content, without network access. */
  keptPath(reference: string, sha256?: string): string | undefined {
    const known = this.#folder.known(reference);
    const digest = sha256 ?? known?.sha256;
    if (digest === undefined || !isAddress(reference)) return undefined;
    const path = this.#folder.contentPath(digest, known?.fileName ?? fileNameOf(artifactAddress(reference)));
    return this.#folder.has(path) ? path : undefined;
  }

  /**
   * Absolute path of an artifact, downloaded if needed. `sha256` is lower-case hex. Rejects with ARTIFACT_UNAVAILABLE,
   * or with ARTIFACT_CHANGED for another digest.
   */
  path(reference: string, sha256?: string): Promise<string> {
    const key = `${sha256 ?? ''} ${reference}`;
    const found = this.#found.get(key) ?? this.#find(reference, sha256);
    this.#found.set(key, found);
    // A failed download may succeed later.
    found.catch(() => this.#found.delete(key));
    return found;
  }

  async #find(reference: string, stated: string | undefined): Promise<string> {
    const address = artifactAddress(reference);
    const kept = await this.#sound(reference, stated);
    if (kept !== undefined && stated !== undefined) return kept;
    let part: string | undefined;
    try {
      part = await this.#folder.partPath();
      const came = await this.#fetch(reference, address, {
        part,
        etag: kept === undefined ? undefined : this.#etag(reference),
      });
      if (came.kind === 'unchanged') return kept as string;
      if (stated !== undefined && came.sha256 !== stated) throw changed(reference, stated, came.sha256);
      return await this.#keep(reference, address, part, came);
    } catch (cause) {
      const error = fileFailure(reference, cause) ?? cause;
      if (kept === undefined || !(error instanceof AppError) || error.code !== 'ARTIFACT_UNAVAILABLE') throw error;
      this.#options.onWarning?.(`${error.message} The cached copy is used.`);
      return kept;
    } finally {
      if (part !== undefined) await rm(part, { force: true }).catch(() => undefined);
    }
  }

  /** Path of intact cached content. Removes corrupt content. */
  async #sound(reference: string, stated: string | undefined): Promise<string | undefined> {
    const path = this.keptPath(reference, stated);
    if (path === undefined) return undefined;
    const expected = stated ?? this.#folder.known(reference)?.sha256;
    if ((await fileDigest(path)) === expected) return path;
    this.#options.onWarning?.(`The cached copy of ${shownAddress(reference)} is corrupt and is fetched again.`);
    await rm(path, { force: true });
    return undefined;
  }

  #etag(reference: string): string | undefined {
    return this.#folder.known(reference)?.etag;
  }

  async #keep(
    reference: string,
    address: ArtifactAddress,
    part: string,
    { sha256, etag }: Extract<Downloaded, { readonly kind: 'content' }>,
  ): Promise<string> {
    const known: KnownContent = {
      reference,
      sha256,
      fileName: fileNameOf(address),
      ...(etag !== undefined && { etag }),
    };
    const path = this.#folder.contentPath(sha256, known.fileName);
    await this.#folder.keep(part, path);
    await this.#folder.remember(known);
    return path;
  }

  async #fetch(
    reference: string,
    address: ArtifactAddress,
    { part, etag }: { readonly part: string; readonly etag: string | undefined },
  ): Promise<Downloaded> {
    // Loaded late: most commands never download.
    const { download } = await import('./download.js');
    const delaysMs = [...this.#limits.retryDelaysMs];
    for (;;) {
      try {
        const request = await this.#request(address, etag === undefined ? {} : { 'if-none-match': etag });
        return await download(request, part, this.#limits, (progress) =>
          this.#options.onProgress?.(reference, progress),
        );
      } catch (error) {
        if (error instanceof AppError) throw error;
        const delayMs = (error as DownloadError).passing ? delaysMs.shift() : undefined;
        if (delayMs === undefined) throw unavailable(reference, address, error as DownloadError);
        await new Promise((resolve) => setTimeout(resolve, delayMs));
      }
    }
  }

  async #request(address: ArtifactAddress, headers: Readonly<Record<string, string>>): Promise<DownloadRequest> {
    // No compression: the digest of a compressed body would differ.
    const plain = { ...headers, 'accept-encoding': 'identity' };
    if (address.kind === 'http') return { request: new Request(address.url, { headers: plain }), isSigned: false };
    const { s3Request } = await import('./s3-requests.js');
    const request = await s3Request(address, plain, this.#options.environment);
    return { request, isSigned: request.headers.has('authorization') };
  }
}

/** The error for a folder that cannot be written, such as on a full disk; undefined for other errors. */
function fileFailure(reference: string, cause: unknown): AppError | undefined {
  if (cause instanceof AppError || (cause as NodeJS.ErrnoException).code === undefined) return undefined;
  const shown = shownAddress(reference);
  const message = `The artifact ${shown} cannot be kept in the cache: ${(cause as Error).message}. Check the disk and the permissions of its folder.`;
  return new AppError('ARTIFACT_UNAVAILABLE', message, { details: { reference: shown }, cause });
}

function unavailable(reference: string, address: ArtifactAddress, error: DownloadError): AppError {
  const denied = error.status === 401 || error.status === 403;
  const remedy =
    denied && address.kind === 's3'
      ? ' AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and, for a store other than AWS, AWS_ENDPOINT_URL must be set in the environment.'
      : '';
  return new AppError(
    'ARTIFACT_UNAVAILABLE',
    `The artifact ${shownAddress(reference)} cannot be fetched: ${error.message}.${remedy}`,
    {
      details: { reference: shownAddress(reference), ...(error.status !== undefined && { status: error.status }) },
      cause: error,
      retryable: error.passing,
    },
  );
}

export function changed(artifact: string, stated: string, found: string): AppError {
  const reference = isAddress(artifact) ? shownAddress(artifact) : artifact;
  const message = `The artifact ${reference} is not the stated one: its SHA-256 is ${found}, the pipeline file says ${stated}.`;
  return new AppError('ARTIFACT_CHANGED', message, { details: { reference, stated, found } });
}

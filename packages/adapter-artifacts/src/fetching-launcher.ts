import { stat } from 'node:fs/promises';
import type { LaunchRequest, ReplicaLauncher } from '@equipoise/core/ports';
import { isAddress } from './artifact-address.js';
import { type ArtifactCache, changed } from './artifact-cache.js';
import { fileDigest } from './cache-folder.js';

/** Path of a reference; undefined if it is not a file of this machine. */
export type LocateFile = (reference: string, baseDir: string) => string | undefined;

/**
 * Before each launch, downloads a remote artifact or checks the stated SHA-256 of a local artifact. `launch` also
 * rejects with the errors of `ArtifactCache.path`.
 */
export class FetchingLauncher implements ReplicaLauncher {
  readonly #inner: ReplicaLauncher;
  readonly #cache: ArtifactCache;
  readonly #locate: LocateFile;
  /** Digests by path, size and modification time. */
  readonly #digests = new Map<string, Promise<string>>();

  constructor(
    inner: ReplicaLauncher,
    { cache, locate }: { readonly cache: ArtifactCache; readonly locate: LocateFile },
  ) {
    this.#inner = inner;
    this.#cache = cache;
    this.#locate = locate;
  }

  async launch(request: LaunchRequest): ReturnType<ReplicaLauncher['launch']> {
    const { artifact, artifactSha256 } = request.variant;
    if (artifact === undefined) return this.#inner.launch(request);
    if (!isAddress(artifact)) {
      if (artifactSha256 !== undefined) await this.#check(artifact, artifactSha256, request.baseDir);
      return this.#inner.launch(request);
    }
    const path = await this.#cache.path(artifact, artifactSha256);
    return this.#inner.launch({ ...request, variant: { ...request.variant, artifact: path } });
  }

  /** Skips a missing file, which the inner launcher reports. */
  async #check(artifact: string, stated: string, baseDir: string): Promise<void> {
    const path = this.#locate(artifact, baseDir);
    const found = path === undefined ? undefined : await stat(path).catch(() => undefined);
    if (path === undefined || found?.isFile() !== true) return;
    const key = `${path} ${found.size} ${found.mtimeMs}`;
    const digest = this.#digests.get(key) ?? fileDigest(path);
    this.#digests.set(key, digest);
    if ((await digest) !== stated) throw changed(artifact, stated, await digest);
  }
}

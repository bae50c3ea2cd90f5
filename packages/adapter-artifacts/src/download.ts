import { createHash } from 'node:crypto';
import { open } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';
import { AppError } from '@equipoise/core/model';
import { redirectedUrl } from './artifact-address.js';

export interface DownloadLimits {
  readonly maxBytes: number;
  /** Maximum time (ms) without a byte. */
  readonly maxSilenceMs: number;
}

/** `totalBytes` is set if the server announced it. */
export interface DownloadProgress {
  readonly doneBytes: number;
  readonly totalBytes?: number;
}

/** Result: new content, or confirmation that the tagged content is current. */
export type Downloaded =
  | { readonly kind: 'content'; readonly sha256: string; readonly bytes: number; readonly etag?: string }
  | { readonly kind: 'unchanged' };

/** Failed download. If `passing`, a retry may help. */
export class DownloadError extends Error {
  readonly passing: boolean;
  readonly status: number | undefined;

  constructor(message: string, { passing, status, cause }: { passing: boolean; status?: number; cause?: unknown }) {
    super(message, { cause });
    this.passing = passing;
    this.status = status;
  }
}

const passingStatus = (status: number): boolean => status === 408 || status === 429 || status >= 500;

/** Text of a connection error. Node's fetch puts the reason into the cause. */
function connectionText(error: unknown): string {
  const { cause, message } = error as Error & { cause?: { code?: string; message?: string } };
  return cause?.code ?? cause?.message ?? message;
}

class SilenceTimer {
  readonly #controller = new AbortController();
  readonly #maxSilenceMs: number;
  #timeout: NodeJS.Timeout | undefined;

  constructor(maxSilenceMs: number) {
    this.#maxSilenceMs = maxSilenceMs;
    this.heard();
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  heard(): void {
    this.stop();
    this.#timeout = setTimeout(() => this.#controller.abort(), this.#maxSilenceMs);
  }

  stop(): void {
    clearTimeout(this.#timeout);
  }
}

/** A signed request follows no redirect: only its server may get it. */
export interface DownloadRequest {
  readonly request: Request;
  readonly isSigned: boolean;
}

/**
 * Rejects with DownloadError, or with AppError ARTIFACT_UNAVAILABLE for a redirect to a refused address. The file at
 * `path` may then be partial.
 */
export async function download(
  request: DownloadRequest,
  path: string,
  limits: DownloadLimits,
  onProgress: (progress: DownloadProgress) => void,
): Promise<Downloaded> {
  const silence = new SilenceTimer(limits.maxSilenceMs);
  try {
    const response = await respond(request, silence.signal);
    silence.heard();
    // Without a tag in the request, 304 is a fault of the server.
    if (response.status === 304 && request.request.headers.has('if-none-match')) return { kind: 'unchanged' };
    const body = await goodBody(response);
    const { bytes, sha256 } = await write(body, path, (doneBytes) => {
      silence.heard();
      if (doneBytes > limits.maxBytes) throw tooLarge(limits);
      const totalBytes = contentBytes(response);
      if (totalBytes !== undefined && totalBytes > limits.maxBytes) throw tooLarge(limits);
      onProgress({ doneBytes, ...(totalBytes !== undefined && { totalBytes }) });
    });
    checkLength(bytes, contentBytes(response));
    const etag = response.headers.get('etag') ?? undefined;
    return { kind: 'content', sha256, bytes, ...(etag !== undefined && { etag }) };
  } catch (error) {
    if (error instanceof DownloadError || error instanceof AppError) throw error;
    const silent = silence.signal.aborted;
    const text = silent ? `no byte for ${limits.maxSilenceMs / 1000} s` : connectionText(error);
    // File errors carry a code; connection errors carry the code in their cause.
    const passing = silent || (error as { code?: unknown }).code === undefined;
    throw new DownloadError(text, { passing, cause: error });
  } finally {
    silence.stop();
  }
}

const MOST_REDIRECTS = 5;
const redirects: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);

/** Follows redirects itself, so that every address is checked. */
async function respond({ request, isSigned }: DownloadRequest, signal: AbortSignal): Promise<Response> {
  let next = request;
  for (let redirected = 0; ; redirected++) {
    const response = await fetch(next, { signal, redirect: 'manual' });
    if (!redirects.has(response.status)) return response;
    await response.body?.cancel();
    const { status } = response;
    if (isSigned) {
      const message = `${status}, and a signed request follows no redirect; set AWS_REGION or AWS_ENDPOINT_URL to where the bucket is`;
      throw new DownloadError(message, { passing: false, status });
    }
    if (redirected === MOST_REDIRECTS) {
      throw new DownloadError(`it is redirected more than ${MOST_REDIRECTS} times`, { passing: false, status });
    }
    next = new Request(redirectedUrl(next.url, response.headers.get('location')), { headers: request.headers });
  }
}

const tooLarge = ({ maxBytes }: DownloadLimits): DownloadError =>
  new DownloadError(`it has more than ${maxBytes} bytes`, { passing: false });

async function goodBody(response: Response): Promise<AsyncIterable<Uint8Array>> {
  const { ok, status, statusText, body } = response;
  if (ok && body !== null) return body;
  await body?.cancel();
  throw new DownloadError(`${status} ${statusText}`.trim(), { passing: passingStatus(status), status });
}

/** Writes the body to a file; `onBytes` gets the count so far and may throw. */
async function write(
  body: AsyncIterable<Uint8Array>,
  path: string,
  onBytes: (doneBytes: number) => void,
): Promise<{ readonly bytes: number; readonly sha256: string }> {
  const hash = createHash('sha256');
  let bytes = 0;
  async function* counted(chunks: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array> {
    for await (const chunk of chunks) {
      bytes += chunk.byteLength;
      onBytes(bytes);
      hash.update(chunk);
      yield chunk;
    }
  }
  // The file is opened now: a stream would open it later and could recreate a removed file.
  const file = await open(path, 'w', 0o600);
  await pipeline(body, counted, file.createWriteStream());
  return { bytes, sha256: hash.digest('hex') };
}

function checkLength(bytes: number, expectedBytes: number | undefined): void {
  if (expectedBytes === undefined || expectedBytes === bytes) return;
  throw new DownloadError(`it ended after ${bytes} of ${expectedBytes} bytes`, { passing: true });
}

/** Length of the content; undefined if it is compressed. */
function contentBytes({ headers }: Response): number | undefined {
  const length = headers.get('content-length');
  return length === null || headers.has('content-encoding') ? undefined : Number(length);
}

/**
 * Certificate and key of a port, reloaded when their files change. An unusable pair is rejected, and the previous one
 * stays in use.
 */
import { readFileSync, statSync, unwatchFile, watchFile } from 'node:fs';
import { createSecureContext, type Server } from 'node:tls';
import { AppError } from '@equipoise/core/model';

/** PEM files: the certificate with its chain, and the private key. */
export interface TlsFiles {
  readonly certPath: string;
  readonly keyPath: string;
}

export interface CertifiedKey {
  readonly cert: Buffer;
  readonly key: Buffer;
}

/** At least TLS 1.2, only with ephemeral keys and authenticated encryption. Clients may not renegotiate. */
export const strictTls = {
  minVersion: 'TLSv1.2',
  ciphers: [
    ...['TLS_AES_128_GCM_SHA256', 'TLS_AES_256_GCM_SHA384', 'TLS_CHACHA20_POLY1305_SHA256'],
    ...['ECDSA', 'RSA'].flatMap((key) =>
      ['AES128-GCM-SHA256', 'AES256-GCM-SHA384', 'CHACHA20-POLY1305'].map((cipher) => `ECDHE-${key}-${cipher}`),
    ),
  ].join(':'),
  /** SSL_OP_NO_RENEGOTIATION of OpenSSL, which Node does not name. */
  secureOptions: 2 ** 30,
} as const;

export type ShownIdentity = Pick<TlsIdentity, 'current' | 'onChange'>;

/** Polling interval. File events would miss mounted secrets, which change by replacing a symbolic link. */
const LOOK_EVERY_MS = 5000;
/** Forbidden mode bits of a key file: any access by others, write or execute by the group. */
const FORBIDDEN_MODE = 0o037;

export class TlsIdentity {
  readonly #files: TlsFiles;
  readonly #listeners = new Set<(identity: CertifiedKey) => void>();
  #current: CertifiedKey;

  /**
   * Throws AppError FILE_NOT_FOUND, or FILE_UNREADABLE (also if the key has forbidden mode bits or does not match the
   * certificate).
   */
  constructor(files: TlsFiles) {
    this.#files = files;
    this.#current = readIdentity(files);
  }

  get current(): CertifiedKey {
    return this.#current;
  }

  /** Returns a function that unsubscribes. */
  onChange(listener: (identity: CertifiedKey) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Reads the files again; true if they have changed. Throws the constructor's errors; the old pair then stays. */
  reload(): boolean {
    const { cert, key } = this.#current;
    const read = readIdentity(this.#files);
    if (read.cert.equals(cert) && read.key.equals(key)) return false;
    this.#current = read;
    for (const listener of this.#listeners) listener(read);
    return true;
  }

  /** Reloads changed files and reports the result, until the returned function is called. */
  watch(onReload: (outcome: { readonly changed: boolean } | { readonly error: unknown }) => void): () => void {
    const look = () => {
      try {
        onReload({ changed: this.reload() });
      } catch (error) {
        onReload({ error });
      }
    };
    const paths = [this.#files.certPath, this.#files.keyPath];
    for (const path of paths) watchFile(path, { interval: LOOK_EVERY_MS, persistent: false }, look);
    return () => {
      for (const path of paths) unwatchFile(path, look);
    };
  }
}

/** Gives every new identity to the server until it closes. */
export function showChanges(server: Server, identity: ShownIdentity): void {
  const stop = identity.onChange((changed) => server.setSecureContext({ ...changed, ...strictTls }));
  server.once('close', stop);
}

function readIdentity({ certPath, keyPath }: TlsFiles): CertifiedKey {
  const cert = readPem(certPath, 'certificate');
  const key = readPem(keyPath, 'key');
  checkMode(keyPath);
  try {
    createSecureContext({ cert, key });
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new AppError(
      'FILE_UNREADABLE',
      `The certificate ${certPath} and the key ${keyPath} cannot be used together: ${reason}.`,
      { details: { certPath, keyPath }, cause },
    );
  }
  return { cert, key };
}

function readPem(path: string, what: 'certificate' | 'key'): Buffer {
  try {
    return readFileSync(path);
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    if (code === 'ENOENT')
      throw new AppError('FILE_NOT_FOUND', `There is no ${what} ${path}.`, { details: { path }, cause });
    throw new AppError('FILE_UNREADABLE', `The ${what} ${path} cannot be read: ${message}.`, {
      details: { path },
      cause,
    });
  }
}

function checkMode(path: string): void {
  if (process.platform === 'win32') return;
  const mode = statSync(path).mode & 0o777;
  if ((mode & FORBIDDEN_MODE) === 0) return;
  const octal = mode.toString(8).padStart(3, '0');
  throw new AppError(
    'FILE_UNREADABLE',
    `The key ${path} is open to others (mode ${octal}): only its owner may write it, and nobody beside its group may read it. \`chmod 600 ${path}\` closes it.`,
    { details: { path, mode: octal } },
  );
}

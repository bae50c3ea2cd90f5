/**
 * The certificate and the key that a port shows to its clients, read from files and read anew when they change. What cannot be used is
 * refused with its reason, and the identity before stays.
 */
import { readFileSync, statSync, unwatchFile, watchFile } from 'node:fs';
import { createSecureContext } from 'node:tls';
import { AppError } from '@equipoise/core/model';

/** Two files in PEM: the certificate with the chain behind it, and its key. */
export interface TlsFiles {
  readonly certPath: string;
  readonly keyPath: string;
}

/** What they hold. */
export interface CertifiedKey {
  readonly cert: Buffer;
  readonly key: Buffer;
}

/** The part of an identity that a port shows. */
export type ShownIdentity = Pick<TlsIdentity, 'current' | 'onChange'>;

/** Files are looked at and not listened to: a mounted secret is replaced by moving links. */
const LOOK_EVERY_MS = 5000;
/** Others may do nothing with a key, its group may at most read it. */
const FORBIDDEN_MODE = 0o037;

/** An identity that may change. */
export class TlsIdentity {
  readonly #files: TlsFiles;
  readonly #listeners = new Set<(identity: CertifiedKey) => void>();
  #current: CertifiedKey;

  /** Throws AppError FILE_NOT_FOUND or FILE_UNREADABLE, the latter also where others may read the key or it is not that of the certificate. */
  constructor(files: TlsFiles) {
    this.#files = files;
    this.#current = readIdentity(files);
  }

  get current(): CertifiedKey {
    return this.#current;
  }

  /** Calls `listener` with every new identity; the returned function ends that. */
  onChange(listener: (identity: CertifiedKey) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Reads the files again and tells whether they hold another identity; throws as the constructor does, and then nothing changes. */
  reload(): boolean {
    const { cert, key } = this.#current;
    const read = readIdentity(this.#files);
    if (read.cert.equals(cert) && read.key.equals(key)) return false;
    this.#current = read;
    for (const listener of this.#listeners) listener(read);
    return true;
  }

  /** Reloads when a file changes; `onLooked` is told of what came of it. The returned function ends that. */
  watch(onLooked: (outcome: { readonly changed: boolean } | { readonly error: unknown }) => void): () => void {
    const look = () => {
      try {
        onLooked({ changed: this.reload() });
      } catch (error) {
        onLooked({ error });
      }
    };
    const paths = [this.#files.certPath, this.#files.keyPath];
    for (const path of paths) watchFile(path, { interval: LOOK_EVERY_MS, persistent: false }, look);
    return () => {
      for (const path of paths) unwatchFile(path, look);
    };
  }
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

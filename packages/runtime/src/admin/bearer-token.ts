/** Access by a single bearer token. */
import { createHash, timingSafeEqual } from 'node:crypto';
import { AppError } from '@equipoise/core/model';

/** A token that clients send as `authorization: Bearer TOKEN`; compared in constant time. */
export class BearerToken {
  readonly #digest: Buffer;

  constructor(token: string) {
    this.#digest = digestOf(token);
  }

  /** AppError UNAUTHENTICATED unless `header` has the token. */
  check(header: unknown): void {
    const [, shown] = typeof header === 'string' ? (/^Bearer +(\S+) *$/i.exec(header) ?? []) : [];
    if (shown !== undefined && timingSafeEqual(digestOf(shown), this.#digest)) return;
    const problem = shown === undefined ? 'shows no token' : 'shows another token';
    throw new AppError('UNAUTHENTICATED', `The request ${problem}; expected the header authorization: Bearer TOKEN.`);
  }
}

function digestOf(token: string): Buffer {
  return createHash('sha256').update(token).digest();
}

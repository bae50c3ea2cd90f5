/** Who may ask: where the server has a token, only who shows it. Probes of health need none. */
import { createHash, timingSafeEqual } from 'node:crypto';
import { AppError } from '@equipoise/core/model';

/** A token that clients show as `authorization: Bearer TOKEN`; compared in a time that tells nothing of it. */
export class BearerToken {
  readonly #digest: Buffer;

  constructor(token: string) {
    this.#digest = digestOf(token);
  }

  /** AppError UNAUTHENTICATED unless `header` shows the token. */
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

/**
 * Access control of the admin port. Without a token, only this machine has access, and pages of other sites in a local
 * browser are refused (DNS rebinding, cross-site requests).
 */
import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import { isIPv4 } from 'node:net';
import { AppError } from '@equipoise/core/model';
import { TokenBucket } from '@equipoise/core/serve';
import { WorkBudget } from '../net/work-budget.js';

/** Rate limits, far above what a browser or a script needs. */
const READS = { burst: 100, rps: 50 };
const WRITES = { burst: 20, rps: 5 };
/** Time that answers may take of the serving thread: a quarter of it in the long run. */
const WORK = { burstMs: 1500, fraction: 0.25 };

export class AdminAccess {
  readonly #token: BearerToken | undefined;
  readonly #nowMs: () => number;
  readonly #reads = new TokenBucket(READS);
  readonly #writes = new TokenBucket(WRITES);
  readonly #work: WorkBudget;

  constructor(token: string | undefined, nowMs: () => number) {
    this.#token = token === undefined ? undefined : new BearerToken(token);
    this.#nowMs = nowMs;
    this.#work = new WorkBudget(WORK, nowMs);
  }

  /** Throws AppError UNAUTHENTICATED or FORBIDDEN if the caller has no access, RATE_LIMITED above the limits. */
  check(method: string, headers: IncomingHttpHeaders): void {
    if (this.#token === undefined) refuseOtherSites(headers);
    else this.#token.check(headers.authorization);
    const nowMs = this.#nowMs();
    const { owedMs } = this.#work;
    // Actions are rarer, and a flood of reads must not keep an operator from a roll-back.
    const waitMs = method === 'POST' ? this.#writes.take(nowMs) : owedMs > 0 ? owedMs : this.#reads.take(nowMs);
    if (waitMs > 0)
      throw new AppError('RATE_LIMITED', 'The admin port gets too many requests.', {
        details: { retryAfterMs: waitMs },
      });
  }

  /** Returns what `answer` returns, and counts the time that it takes of the serving thread. */
  countWork<T>(answer: () => T): T {
    return this.#work.count(answer);
  }

  /**
   * Throws AppError FORBIDDEN if a page of another site loads a file of our page. A link to our page is allowed. With a
   * token, the files are open to all: only the data behind them is secret.
   */
  checkPage(headers: IncomingHttpHeaders): void {
    if (this.#token !== undefined) return;
    const { 'sec-fetch-mode': mode, 'sec-fetch-dest': destination } = headers;
    const isLink = mode === 'navigate' && destination === 'document';
    refuseOtherSites(isLink ? { ...headers, 'sec-fetch-site': 'none' } : headers);
  }
}

/** The token of `authorization: Bearer TOKEN`, compared in constant time. */
class BearerToken {
  readonly #digest: Buffer;

  constructor(token: string) {
    this.#digest = digestOf(token);
  }

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

export function isLoopback(host: string): boolean {
  const name = host.replace(/^\[(.*)\]$/, '$1').toLowerCase();
  return name === 'localhost' || name === '::1' || (isIPv4(name) && name.startsWith('127.'));
}

/**
 * Throws AppError FORBIDDEN for requests from pages of other sites. `Origin` reveals them, or `Sec-Fetch-Site` for
 * images and scripts. `Host` reveals DNS rebinding.
 */
function refuseOtherSites(headers: IncomingHttpHeaders): void {
  const { host = '', origin, 'sec-fetch-site': site = 'none' } = headers;
  const hostName = host.replace(/:\d*$/, '');
  if (!isLoopback(hostName))
    throw new AppError('FORBIDDEN', `The request asks for the host ${host}, which is no loopback address.`);
  if (origin !== undefined && origin !== `http://${host}`)
    throw new AppError('FORBIDDEN', `The request comes from a page of ${origin}.`);
  if (site !== 'none' && site !== 'same-origin')
    throw new AppError('FORBIDDEN', 'The request comes from a page of another origin.');
}

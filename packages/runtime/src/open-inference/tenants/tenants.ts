/**
 * Who may ask, and how often: where the server has tokens, only who shows one, and each tenant within its limit. Probes of health need
 * none. Tokens are kept as keyed digests alone; one is looked up by its digest under a key of this process, so that the time that takes
 * tells nothing of those that are kept.
 */
import { createHmac, randomBytes } from 'node:crypto';
import { AppError, TokenBucket } from '@equipoise/core';
import type { TenantEntry } from './tenant-file.js';

/** Somebody who may ask. */
export interface Tenant {
  readonly name: string;
  readonly bucket: TokenBucket | undefined;
}

/** The tenants of a server; they may be replaced while it runs. */
export class Tenants {
  readonly #key = randomBytes(32);
  #byDigest: ReadonlyMap<string, Tenant> = new Map();

  constructor(entries: readonly TenantEntry[]) {
    this.replace(entries);
  }

  /** Puts others in their place and tells whether that changes anything; who stays with the same limit goes on with what is left of it. */
  replace(entries: readonly TenantEntry[]): boolean {
    const before = this.#byDigest;
    const known = new Map([...before.values()].map((tenant) => [tenant.name, tenant]));
    const now = new Map<string, Tenant>();
    for (const entry of entries) {
      const old = known.get(entry.name);
      const tenant = old !== undefined && hasLimit(old, entry) ? old : newTenant(entry);
      for (const token of entry.tokens) now.set(this.#digest(token), tenant);
    }
    this.#byDigest = now;
    return now.size !== before.size || [...now].some(([digest, tenant]) => before.get(digest) !== tenant);
  }

  /** Whose token a header `authorization: Bearer TOKEN` shows; AppError UNAUTHENTICATED where it is nobody's. */
  identify(header: unknown): Tenant {
    const [, shown] = typeof header === 'string' ? (/^Bearer +(\S+) *$/i.exec(header) ?? []) : [];
    const tenant = shown === undefined ? undefined : this.#byDigest.get(this.#digest(shown));
    if (tenant !== undefined) return tenant;
    const problem = shown === undefined ? 'shows no token' : 'shows another token';
    throw new AppError('UNAUTHENTICATED', `The request ${problem}; expected the header authorization: Bearer TOKEN.`);
  }

  #digest(token: string): string {
    return createHmac('sha256', this.#key).update(token).digest('base64');
  }
}

/** Lets one more request in; AppError RATE_LIMITED where that is over the limit of the tenant. */
export function admitWithinLimit({ bucket }: Tenant, nowMs: number): void {
  const waitMs = bucket?.take(nowMs) ?? 0;
  if (waitMs === 0) return;
  throw new AppError('RATE_LIMITED', 'There are more requests with this token than its limit allows.', {
    details: { reason: 'rate-limited', retryAfterMs: Math.ceil(waitMs) },
    retryable: true,
  });
}

function newTenant({ name, limit }: TenantEntry): Tenant {
  return { name, bucket: limit && new TokenBucket(limit) };
}

function hasLimit({ bucket }: Tenant, { limit }: TenantEntry): boolean {
  return bucket?.limit.rps === limit?.rps && bucket?.limit.burst === limit?.burst;
}

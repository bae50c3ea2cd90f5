/**
 * Authentication and rate limits. With tokens configured, every request except probes needs one of them, and each
 * tenant stays within its limit. Tokens are looked up as digests under a random key, so timing reveals nothing.
 */
import { createHmac, randomBytes } from 'node:crypto';
import { AppError } from '@equipoise/core/model';
import { TokenBucket } from '@equipoise/core/serve';
import type { TenantEntry } from './tenant-file.js';

export interface Tenant {
  readonly name: string;
  readonly bucket: TokenBucket | undefined;
}

/** Tenants in force; they can be replaced while the server runs. */
export class Tenants {
  readonly #key = randomBytes(32);
  #byDigest: ReadonlyMap<string, Tenant> = new Map();

  constructor(entries: readonly TenantEntry[]) {
    this.replace(entries);
  }

  /** Replaces all tenants; returns true for a change. A tenant with an unchanged limit keeps its remaining budget. */
  replace(entries: readonly TenantEntry[]): boolean {
    const before = this.#byDigest;
    const known = new Map([...before.values()].map((tenant) => [tenant.name, tenant]));
    const now = new Map<string, Tenant>();
    for (const entry of entries) {
      const old = known.get(entry.name);
      const tenant = old !== undefined && hasLimit(old, entry) ? old : newTenant(entry);
      for (const token of entry.tokens) now.set(digestOf(token, this.#key), tenant);
    }
    this.#byDigest = now;
    return now.size !== before.size || [...now].some(([digest, tenant]) => before.get(digest) !== tenant);
  }

  /** Reads the header `authorization: Bearer TOKEN`; AppError UNAUTHENTICATED without a valid token. */
  identify(header: unknown): Tenant {
    const [, shown] = typeof header === 'string' ? (/^Bearer +(\S+) *$/i.exec(header) ?? []) : [];
    const tenant = shown === undefined ? undefined : this.#byDigest.get(digestOf(shown, this.#key));
    if (tenant !== undefined) return tenant;
    const problem = shown === undefined ? 'shows no token' : 'shows another token';
    throw new AppError('UNAUTHENTICATED', `The request ${problem}; expected the header authorization: Bearer TOKEN.`);
  }
}

function digestOf(token: string, key: Buffer): string {
  return createHmac('sha256', key).update(token).digest('base64');
}

/** Throws AppError RATE_LIMITED above the tenant's limit. */
export function admitWithinLimit({ bucket }: Tenant, nowMs: number): void {
  const waitMs = bucket?.take(nowMs) ?? 0;
  if (waitMs > 0) throw aboveLimit(waitMs);
}

/**
 * Counts the other items of a client batch: its first item was counted before the request was read. Throws AppError
 * RATE_LIMITED with the wait for all items, because a retry counts the first one again.
 */
export function admitOtherItems({ bucket }: Tenant, nowMs: number, items: number): void {
  if (bucket === undefined) return;
  const waitMs = bucket.take(nowMs, items - 1);
  if (waitMs > 0) throw aboveLimit(waitMs + 1000 / bucket.limit.rps);
}

function aboveLimit(waitMs: number): AppError {
  return new AppError('RATE_LIMITED', 'There are more requests with this token than its limit allows.', {
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

/**
 * Who may ask, and how often: where the server has tokens, only who shows one, and each tenant within its limit. Probes of health need
 * none. Tokens are kept as keyed digests alone; one is looked up by its digest under a key of this process, so that the time that takes
 * tells nothing of those that are kept.
 */
import { createHmac, randomBytes } from 'node:crypto';
import { AppError } from '@equipoise/core/model';
import { TokenBucket } from '@equipoise/core/serve';
import type { TenantEntry } from './tenant-file.js';

/** Somebody who may ask. */
export interface Tenant {
  readonly name: string;
  /** Takes a token and gives 0, or the time in ms until there is one; it may have to be asked for in another process. */
  readonly bucket: { take(nowMs: number): number | Promise<number> } | undefined;
}

/** A tenant whose limit is kept here. */
interface KeptTenant extends Tenant {
  readonly bucket: TokenBucket | undefined;
}

/** Whoever shows a token. */
export interface TokenHolders {
  /** Whose token a header `authorization: Bearer TOKEN` shows; AppError UNAUTHENTICATED where it is nobody's. */
  identify(header: unknown): Tenant;
}

/** What another process needs in order to know the tenants: the key (base64), and for each digest its tenant. No token. */
export interface TenantDigests {
  readonly key: string;
  readonly tenants: readonly { readonly digest: string; readonly name: string; readonly limited: boolean }[];
}

/** The tenants of a server; they may be replaced while it runs. */
export class Tenants implements TokenHolders {
  readonly #key = randomBytes(32);
  readonly #listeners = new Set<() => void>();
  #byDigest: ReadonlyMap<string, KeptTenant> = new Map();

  constructor(entries: readonly TenantEntry[]) {
    this.replace(entries);
  }

  /** Puts others in their place and tells whether that changes anything; who stays with the same limit goes on with what is left of it. */
  replace(entries: readonly TenantEntry[]): boolean {
    const before = this.#byDigest;
    const known = new Map([...before.values()].map((tenant) => [tenant.name, tenant]));
    const now = new Map<string, KeptTenant>();
    for (const entry of entries) {
      const old = known.get(entry.name);
      const tenant = old !== undefined && hasLimit(old, entry) ? old : newTenant(entry);
      for (const token of entry.tokens) now.set(digestOf(token, this.#key), tenant);
    }
    this.#byDigest = now;
    for (const listener of this.#listeners) listener();
    return now.size !== before.size || [...now].some(([digest, tenant]) => before.get(digest) !== tenant);
  }

  identify(header: unknown): KeptTenant {
    return holderOf(header, this.#key, this.#byDigest);
  }

  /** As another process is to know them. */
  get digests(): TenantDigests {
    const tenants = [...this.#byDigest].map(([digest, { name, bucket }]) => ({
      digest,
      name,
      limited: bucket !== undefined,
    }));
    return { key: this.#key.toString('base64'), tenants };
  }

  /** Takes a token of a tenant's limit, as its bucket does; a tenant that is gone meanwhile has none. */
  take(name: string, nowMs: number): number {
    const tenant = [...this.#byDigest.values()].find((one) => one.name === name);
    return tenant?.bucket?.take(nowMs) ?? 0;
  }

  /** Calls `listener` whenever others are in their place; the returned function ends that. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
}

/** Whose token a header shows among tenants by digest under `key`; AppError UNAUTHENTICATED where it is nobody's. */
export function holderOf<T extends Tenant>(header: unknown, key: Buffer, byDigest: ReadonlyMap<string, T>): T {
  const [, shown] = typeof header === 'string' ? (/^Bearer +(\S+) *$/i.exec(header) ?? []) : [];
  const tenant = shown === undefined ? undefined : byDigest.get(digestOf(shown, key));
  if (tenant !== undefined) return tenant;
  const problem = shown === undefined ? 'shows no token' : 'shows another token';
  throw new AppError('UNAUTHENTICATED', `The request ${problem}; expected the header authorization: Bearer TOKEN.`);
}

function digestOf(token: string, key: Buffer): string {
  return createHmac('sha256', key).update(token).digest('base64');
}

/** Lets one more request in; rejects with AppError RATE_LIMITED where that is over the limit of the tenant. */
export async function admitWithinLimit({ bucket }: Tenant, nowMs: number): Promise<void> {
  const waitMs = (await bucket?.take(nowMs)) ?? 0;
  if (waitMs === 0) return;
  throw new AppError('RATE_LIMITED', 'There are more requests with this token than its limit allows.', {
    details: { reason: 'rate-limited', retryAfterMs: Math.ceil(waitMs) },
    retryable: true,
  });
}

function newTenant({ name, limit }: TenantEntry): KeptTenant {
  return { name, bucket: limit && new TokenBucket(limit) };
}

function hasLimit({ bucket }: KeptTenant, { limit }: TenantEntry): boolean {
  return bucket?.limit.rps === limit?.rps && bucket?.limit.burst === limit?.burst;
}

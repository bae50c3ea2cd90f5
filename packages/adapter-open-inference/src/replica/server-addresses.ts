/** Addresses behind a URL, one URL each. Only without TLS, because a certificate is for the name. */
import { lookup } from 'node:dns/promises';
import { isIP } from 'node:net';

/** Resolves a name to all its addresses; rejects if it has none. */
export type ResolveName = (name: string) => Promise<readonly string[]>;

/** Resolver of the system. */
export const resolveName: ResolveName = async (name) =>
  (await lookup(name, { all: true, order: 'verbatim' })).map(({ address }) => address);

const UNENCRYPTED = ['http:', 'grpc:'];

/**
 * URLs with addresses instead of the name, in a fixed order. Returns the URL itself if the name has at most one
 * address.
 */
export async function addressesOf(url: string, resolve: ResolveName): Promise<readonly string[]> {
  const parsed = URL.canParse(url) ? new URL(url) : undefined;
  if (parsed === undefined || !UNENCRYPTED.includes(parsed.protocol)) return [url];
  if (isIP(parsed.hostname.replace(/^\[|\]$/g, '')) !== 0) return [url];
  const addresses = await resolve(parsed.hostname).catch(() => []);
  // A name may have an IPv4 and an IPv6 address of the same server.
  const families = [4, 6].map((family) => addresses.filter((address) => isIP(address) === family));
  const [ofFamily = []] = families.filter((each) => each.length > 0);
  if (ofFamily.length < 2) return [url];
  return ofFamily.toSorted().map((address) => {
    const placed = new URL(parsed);
    placed.hostname = isIP(address) === 6 ? `[${address}]` : address;
    return placed.href.replace(/\/$/, '');
  });
}

/**
 * The addresses that a URL stands for: where its name has several, one URL each. Only without TLS, for a certificate is one of the name.
 */
import { lookup } from 'node:dns/promises';
import { isIP } from 'node:net';

/** All addresses of a name; rejects where it has none. */
export type ResolveName = (name: string) => Promise<readonly string[]>;

/** As the system resolves names. */
export const resolveName: ResolveName = async (name) =>
  (await lookup(name, { all: true, order: 'verbatim' })).map(({ address }) => address);

const UNENCRYPTED = ['http:', 'grpc:'];

/** URLs with addresses in place of the name, in a fixed order; the URL as it is where that changes nothing or the name has no address. */
export async function addressesOf(url: string, resolve: ResolveName): Promise<readonly string[]> {
  const parsed = URL.canParse(url) ? new URL(url) : undefined;
  if (parsed === undefined || !UNENCRYPTED.includes(parsed.protocol)) return [url];
  if (isIP(parsed.hostname.replace(/^\[|\]$/g, '')) !== 0) return [url];
  const addresses = await resolve(parsed.hostname).catch(() => []);
  // A name may have an address of each family for the same server.
  const families = [4, 6].map((family) => addresses.filter((address) => isIP(address) === family));
  const [ofFamily = []] = families.filter((each) => each.length > 0);
  if (ofFamily.length < 2) return [url];
  return ofFamily.toSorted().map((address) => {
    const placed = new URL(parsed);
    placed.hostname = isIP(address) === 6 ? `[${address}]` : address;
    return placed.href.replace(/\/$/, '');
  });
}

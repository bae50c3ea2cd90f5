/** Remote artifacts: `https://host/path`, `s3://bucket/key`, and `http://` on loopback only. */
import { AppError } from '@equipoise/core/model';

export type ArtifactAddress =
  | { readonly kind: 'http'; readonly url: string }
  | { readonly kind: 's3'; readonly bucket: string; readonly key: string };

const LOOPBACK = new Set(['localhost', '127.0.0.1', '[::1]']);

const schemeOf = (reference: string): string | undefined =>
  /^([a-z][a-z0-9+.-]+):/i.exec(reference)?.[1]?.toLowerCase();

/** False for a path or `npm:package/path`. */
export function isAddress(reference: string): boolean {
  const scheme = schemeOf(reference);
  return scheme !== undefined && scheme !== 'npm';
}

/** Text of an address in messages, without credentials and query. */
export function shownAddress(reference: string): string {
  if (!URL.canParse(reference)) return reference.replace(/\?.*$/s, '?…').replace(/[/\\]{2}.*@/s, '//');
  const { protocol, host, pathname, search } = new URL(reference);
  return `${protocol}//${host}${pathname}${search === '' ? '' : '?…'}`;
}

function refused(address: string, why: string): AppError {
  const reference = shownAddress(address);
  return new AppError('ARTIFACT_UNAVAILABLE', `The artifact ${reference} is not fetched: ${why}`, {
    details: { reference },
  });
}

/** Throws ARTIFACT_UNAVAILABLE. Messages show no credentials. */
export function artifactAddress(reference: string): ArtifactAddress {
  const scheme = schemeOf(reference);
  if (scheme === 's3') return s3Address(reference);
  if (scheme !== 'https' && scheme !== 'http') {
    throw refused(reference, `${scheme}: is not supported; use https:, s3:, npm: or a path.`);
  }
  return { kind: 'http', url: webUrl(reference) };
}

/**
 * Address of the next request of a redirected download; `location` is the header. Throws ARTIFACT_UNAVAILABLE like
 * `artifactAddress`, and for a redirect from https: to http:.
 */
export function redirectedUrl(from: string, location: string | null): string {
  if (location === null || !URL.canParse(location, from)) {
    throw refused(
      from,
      `its server redirects to no valid URL: ${location === null ? 'no Location' : shownAddress(location)}.`,
    );
  }
  const url = webUrl(new URL(location, from).href);
  if (new URL(from).protocol === 'https:' && new URL(url).protocol !== 'https:') {
    throw refused(from, `its server redirects from https: to ${shownAddress(url)}.`);
  }
  return url;
}

function webUrl(reference: string): string {
  if (!URL.canParse(reference)) throw refused(reference, 'it is not a valid URL.');
  const url = new URL(reference);
  if (url.username !== '' || url.password !== '') {
    throw refused(reference, 'its URL holds credentials; they do not belong into a pipeline file.');
  }
  if (url.protocol === 'http:' && !LOOPBACK.has(url.hostname)) {
    throw refused(reference, 'http: is taken from this machine alone; use https:.');
  }
  if (url.protocol !== 'http:' && url.protocol !== 'https:') throw refused(reference, 'it is not a web address.');
  url.hash = '';
  return url.href;
}

function s3Address(reference: string): ArtifactAddress {
  const [, bucket = '', key = ''] = /^s3:\/\/([^/]*)\/?(.*)$/i.exec(reference) ?? [];
  if (!/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/.test(bucket) || key === '') {
    throw refused(reference, 'an address in a store is s3://bucket/key.');
  }
  return { kind: 's3', bucket, key };
}

/** File name of an address, because a model runtime may need its extension. */
export function fileNameOf(address: ArtifactAddress): string {
  const path = address.kind === 's3' ? address.key : decodedPath(address.url);
  const name = path.split('/').filter(Boolean).at(-1) ?? '';
  const plain = name.replaceAll(/[^\w.-]/g, '_').replace(/^\.+/, '');
  return plain === '' ? 'artifact' : plain.slice(-128);
}

function decodedPath(url: string): string {
  const { pathname } = new URL(url);
  try {
    return decodeURIComponent(pathname);
  } catch {
    return pathname;
  }
}

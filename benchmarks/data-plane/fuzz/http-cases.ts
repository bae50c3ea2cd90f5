/** HTTP requests as bytes: both inference endpoints and all other routes, with faults in content and framing. */
import { gzipSync } from 'node:zlib';
import { lyingBinary } from './binary-bodies.js';
import type { Chance } from './chance.js';
import { faultyJson, goodRequest } from './json-bodies.js';

/**
 * Bytes to send. With `ends` the client sends no more afterwards, because the server may not know the end of the
 * request.
 */
export interface HttpCase {
  readonly kind: string;
  readonly bytes: Buffer;
  readonly ends: boolean;
}

type Headers = Readonly<Record<string, string | undefined>>;

/** Name of the fuzzed pipeline. */
export const FUZZED_PIPELINE = 'no-op';
const INFER = `/v2/models/${FUZZED_PIPELINE}/infer`;
const RUN = `/v1/pipelines/${FUZZED_PIPELINE}/run`;
const oddPaths = [
  ...['/', '//', '/v2/models//infer', '/v2/models/%/infer', '/v2/models/%00/infer', '/v2/models/%2e%2e%2f/infer', '*'],
  ...[
    '/v2/models/no-op%2Finfer',
    `/${'a/'.repeat(3000)}`,
    `${INFER}?${'a=b&'.repeat(2000)}`,
    'http://x/livez',
    '/\u00e9',
  ],
  ...[
    `${RUN}?timeout_ms=-1`,
    `${RUN}?timeout_ms=1e99`,
    `${RUN}?priority=x`,
    `${RUN}?timeout_ms=1&timeout_ms=2`,
    '/livez',
  ],
];
const methods = [
  'GET',
  'PUT',
  'DELETE',
  'OPTIONS',
  'TRACE',
  'CONNECT',
  'POST ',
  'post',
  'PRI',
  '\u0000',
  'X'.repeat(300),
];
const mediaTypes = [
  ...[undefined, 'application/json', 'application/octet-stream', 'text/plain', 'application/json; charset=utf-16'],
  ...['image/png', 'x', ';', 'application/x-www-form-urlencoded', 'multipart/form-data; boundary=x', 'a'.repeat(5000)],
];
/** 64 MiB of zeros in 64 KiB. */
const bomb = gzipSync(Buffer.alloc(64 * 1024 ** 2));

/** Draws one request. */
export function httpCase(chance: Chance): HttpCase {
  const kind = chance.one([
    'json',
    'json',
    'json',
    'binary',
    'binary',
    'run',
    'framing',
    'framing',
    'head',
    'gzip-bomb',
    'good',
  ]);
  switch (kind) {
    case 'good':
      return whole(kind, post(INFER, Buffer.from(JSON.stringify(goodRequest(chance)))));
    case 'json':
      return whole(kind, post(INFER, faultyJson(chance)));
    case 'binary': {
      const { bytes, statedJsonLength } = lyingBinary(chance);
      const headers = {
        'inference-header-content-length': statedJsonLength,
        'content-type': 'application/octet-stream',
      };
      return whole(kind, post(INFER, bytes, headers));
    }
    case 'run':
      return whole(
        kind,
        post(RUN, chance.happens(0.5) ? faultyJson(chance) : chance.bytes(chance.below(300)), {
          'content-type': chance.one(mediaTypes),
        }),
      );
    case 'gzip-bomb':
      // One in eight bodies is really compressed; the others only claim an encoding.
      return whole(
        kind,
        post(INFER, chance.happens(0.125) ? bomb : chance.bytes(20), {
          'content-encoding': chance.one(['gzip', 'br', 'deflate', 'gzip, gzip', 'identity, gzip', 'x']),
        }),
      );
    case 'framing':
      return { kind, bytes: badFraming(chance), ends: true };
    default:
      return { kind, bytes: badHead(chance), ends: true };
  }
}

const whole = (kind: string, bytes: Buffer): HttpCase => ({ kind, bytes, ends: false });

function post(path: string, body: Buffer, headers: Headers = {}): Buffer {
  return message(
    `POST ${path} HTTP/1.1`,
    { 'content-type': 'application/json', ...headers, 'content-length': String(body.length) },
    body,
  );
}

function message(start: string, headers: Headers, body: Uint8Array): Buffer {
  const lines = Object.entries({ host: 'x', ...headers }).filter(([, value]) => value !== undefined);
  const head = [start, ...lines.map(([name, value]) => `${name}: ${value}`)].join('\r\n');
  return Buffer.concat([Buffer.from(`${head}\r\n\r\n`, 'latin1'), body]);
}

/** Wrong lengths, invalid chunks, or both. */
function badFraming(chance: Chance): Buffer {
  const body = Buffer.from(JSON.stringify(goodRequest(chance)));
  const start = `POST ${chance.one([INFER, RUN])} HTTP/1.1`;
  const type = { 'content-type': 'application/json' };
  const chunked = { ...type, 'transfer-encoding': 'chunked' };
  const chunk = (length: string): Buffer =>
    Buffer.concat([Buffer.from(`${length}\r\n`), body, Buffer.from('\r\n0\r\n\r\n')]);
  const hex = body.length.toString(16);
  switch (chance.below(7)) {
    case 0:
      return message(start, { ...type, 'content-length': String(body.length + 1 + chance.below(1000)) }, body);
    case 1:
      return message(start, { ...type, 'content-length': String(chance.below(body.length)) }, body);
    case 2:
      return message(
        start,
        { ...type, 'content-length': chance.one(['-1', 'x', '1, 2', '1e3', '9'.repeat(30), '+5', '99999999999']) },
        body,
      );
    case 3:
      return message(
        start,
        chunked,
        chunk(chance.one([hex, 'ffffffff', 'x', '-1', `${hex};a=b`, '0', 'f'.repeat(20), '7fffffffffffffff'])),
      );
    case 4:
      return message(
        start,
        { ...chunked, 'content-length': String(body.length) },
        chance.happens(0.5) ? body : chunk(hex),
      );
    case 5:
      return message(
        start,
        { ...type, 'transfer-encoding': chance.one(['gzip', 'chunked, gzip', 'identity', 'chunked\u000b']) },
        body,
      );
    default:
      return chance.damaged(message(start, { ...type, 'content-length': String(body.length) }, body));
  }
}

/** Request lines and headers that are wrong, unusual or too long. */
function badHead(chance: Chance): Buffer {
  const body = Buffer.from('{}');
  const type = { 'content-type': 'application/json', 'content-length': '2' };
  switch (chance.below(8)) {
    case 0:
      return message(`POST ${chance.one(oddPaths)} HTTP/1.1`, type, body);
    case 1:
      return message(`${chance.one(methods)} ${INFER} HTTP/1.1`, type, body);
    case 2:
      return message(`GET ${chance.one(oddPaths)} HTTP/1.1`, {}, Buffer.alloc(0));
    case 3:
      return message(
        `POST ${INFER} ${chance.one(['HTTP/0.9', 'HTTP/2.0', 'HTTP/9.9', 'HTTP', '', 'FTP/1.1'])}`,
        type,
        body,
      );
    case 4:
      return message(
        `POST ${INFER} HTTP/1.1`,
        { ...type, 'x-long': 'x'.repeat(chance.one([100, 8000, 70_000])) },
        body,
      );
    case 5:
      return message(
        `POST ${INFER} HTTP/1.1`,
        { ...type, ...Object.fromEntries(Array.from({ length: 3000 }, (_, i) => [`h${i}`, '1'])) },
        body,
      );
    case 6:
      return message(
        `POST ${INFER} HTTP/1.1`,
        {
          ...type,
          expect: chance.one(['100-continue', '200-ok', '']),
          'x-request-id': chance.one(['', 'x'.repeat(500), '\u0001', 'é']),
          authorization: chance.one(['', 'Bearer', 'Basic x']),
          'content-type': chance.one(mediaTypes),
        },
        body,
      );
    default:
      return chance.bytes(1 + chance.below(400));
  }
}

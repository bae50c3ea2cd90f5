/**
 * The files of the page at `/`: read once when the server starts, served from memory. They contain nothing about a
 * pipeline, so they need no token; the page asks for it.
 */
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import type { IncomingHttpHeaders } from 'node:http';
import { extname, join, posix } from 'node:path';
import { gzipSync } from 'node:zlib';
import { AppError } from '@equipoise/core/model';
import type { Answer } from '../net/answer.js';

const CONTENT_TYPES: Readonly<Record<string, string>> = {
  '.css': 'text/css; charset=utf-8',
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.svg': 'image/svg+xml',
};

const MOST_FILES = 64;
const MOST_BYTES = 4 * 1024 * 1024;
const INDEX = '/index.html';

/** Scripts, styles and data come from this port only. No other page may embed this one. */
const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self'",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

const COMMON_HEADERS = {
  'content-security-policy': POLICY,
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
  vary: 'accept-encoding',
};

export interface PageFile {
  /** Path of the URL. */
  readonly path: string;
  readonly contentType: string;
  readonly etag: string;
  readonly cacheControl: string;
  readonly bytes: Uint8Array;
  readonly gzipped: Uint8Array;
}

/** Answer with a body of bytes in place of the text. */
export interface FileAnswer extends Answer {
  readonly bytes: Uint8Array;
  readonly headers: Readonly<Record<string, string>>;
}

/**
 * Files of a built page; none if the folder does not exist. Files of unknown types are omitted. Throws AppError
 * FILE_UNREADABLE above the limits.
 */
export function readPageFiles(folder: string): readonly PageFile[] {
  if (!statSync(folder, { throwIfNoEntry: false })?.isDirectory()) return [];
  const paths = readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && extname(entry.name) in CONTENT_TYPES)
    .map((entry) => join(entry.parentPath, entry.name));
  const bytes = paths.reduce((sum, path) => sum + statSync(path).size, 0);
  if (paths.length > MOST_FILES || bytes > MOST_BYTES) {
    const message = `The page in ${folder} has ${paths.length} files of ${bytes} bytes; at most ${MOST_FILES} files of ${MOST_BYTES} bytes are served. Build it again with \`npm run build\`.`;
    throw new AppError('FILE_UNREADABLE', message, { details: { folder } });
  }
  return paths.map((path) => pageFile(`/${path.slice(folder.length + 1).replaceAll('\\', posix.sep)}`, path));
}

function pageFile(path: string, file: string): PageFile {
  const bytes = readFileSync(file);
  const isIndex = path === INDEX;
  return {
    path: isIndex ? '/' : path,
    contentType: CONTENT_TYPES[extname(file)] as string,
    etag: `"${createHash('sha256').update(bytes).digest('base64url').slice(0, 22)}"`,
    // Names of assets contain a hash of the content.
    cacheControl: path.startsWith('/assets/') ? 'public, max-age=31536000, immutable' : 'no-cache',
    bytes,
    gzipped: gzipSync(bytes, { level: 9 }),
  };
}

/** The file, compressed if the client accepts it; 304 without a body if the client already has it. */
export function fileAnswer(file: PageFile, headers: IncomingHttpHeaders): FileAnswer {
  const isKnown = (headers['if-none-match'] ?? '')
    .split(',')
    .some((tag) => tag.trim().replace(/^W\//, '') === file.etag);
  const isGzipped = /(^|,)\s*(gzip|\*)\s*(;\s*q=(1|0\.\d*[1-9])\d*\s*)?(,|$)/.test(
    String(headers['accept-encoding'] ?? ''),
  );
  const bytes = isGzipped ? file.gzipped : file.bytes;
  return {
    status: isKnown ? 304 : 200,
    contentType: file.contentType,
    text: '',
    bytes: isKnown ? NO_BYTES : bytes,
    headers: {
      ...COMMON_HEADERS,
      etag: file.etag,
      'cache-control': file.cacheControl,
      ...(isGzipped && { 'content-encoding': 'gzip' }),
    },
  };
}

const NO_BYTES = new Uint8Array(0);

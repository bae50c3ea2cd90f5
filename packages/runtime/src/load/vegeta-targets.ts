/**
 * Targets of vegeta (https://github.com/tsenart/vegeta, v12): the requests of a load, as text. `json` has one object a
 * line (`method`, `url`, base64 `body`, `header`), `http` a request line, headers and `@FILE` with the body.
 */
import { AppError } from '@equipoise/core/model';

/** A request; its headers are sent as they are. */
export interface LoadTarget {
  readonly method: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, readonly string[]>>;
  readonly bytes: Uint8Array;
  /** File of `bytes`. */
  readonly path?: string | undefined;
}

export const targetFormats = ['http', 'json'] as const;

export type TargetFormat = (typeof targetFormats)[number];

/** Source of the text, for messages; reads the body files of the format `http`. */
export interface TargetSource {
  readonly fileName: string;
  readonly readBody: (path: string) => Uint8Array;
}

const MOST_TARGETS = 10_000;
const REQUEST_LINE = /^[A-Z]+\s/;

/** Throws FILE_UNREADABLE with the number of the invalid line. */
export function parseTargets(text: string, format: TargetFormat, source: TargetSource): readonly LoadTarget[] {
  const lines = text.split('\n').map((line, index) => ({ line: line.trim(), number: index + 1 }));
  const targets = format === 'json' ? jsonTargets(lines, source) : httpTargets(lines, source);
  if (targets.length === 0) throw invalid(source, lines.length, 'expected at least one target');
  return targets;
}

interface Line {
  readonly line: string;
  readonly number: number;
}

function invalid({ fileName }: TargetSource, line: number, expected: string, cause?: unknown): AppError {
  return new AppError('FILE_UNREADABLE', `${fileName}:${line}: ${expected}.`, { cause });
}

function add(targets: LoadTarget[], target: LoadTarget, { source, number }: { source: TargetSource; number: number }) {
  if (targets.length === MOST_TARGETS)
    throw invalid(source, number, `expected at most ${MOST_TARGETS} targets; they are sent in turn, so fewer will do`);
  targets.push(target);
}

function jsonTargets(lines: readonly Line[], source: TargetSource): readonly LoadTarget[] {
  const targets: LoadTarget[] = [];
  for (const { line, number } of lines) {
    if (line !== '') add(targets, jsonTarget(line, number, source), { source, number });
  }
  return targets;
}

function jsonTarget(line: string, number: number, source: TargetSource): LoadTarget {
  const form = 'expected a JSON object with method, url and, if needed, body (base64) and header (lists of strings)';
  let parsed: Readonly<Record<string, unknown>> | null;
  try {
    parsed = JSON.parse(line) as Readonly<Record<string, unknown>> | null;
  } catch (cause) {
    throw invalid(source, number, form, cause);
  }
  const { method, url, header } = parsed ?? {};
  const body = parsed?.['body'] ?? '';
  if (!isText(method) || !isText(url) || typeof body !== 'string' || !isHeader(header ?? {}))
    throw invalid(source, number, form);
  if (!isBase64(body)) throw invalid(source, number, 'expected a body in base64 with its padding (=), as vegeta does');
  requireUrl(url, number, source);
  const headers = (header ?? {}) as LoadTarget['headers'];
  return { method, url, headers, bytes: new Uint8Array(Buffer.from(body, 'base64')) };
}

/** True for what Go reads: with padding, and line ends anywhere. `Buffer` skips what is no base64. */
function isBase64(body: string): boolean {
  const text = body.replace(/[\r\n]/g, '');
  return text.length % 4 === 0 && !/[^A-Za-z0-9+/]/.test(text.replace(/={1,2}$/, ''));
}

const isText = (value: unknown): value is string => typeof value === 'string' && value !== '';

function isHeader(value: unknown): value is LoadTarget['headers'] {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  return Object.values(value).every((each) => Array.isArray(each) && each.every((text) => typeof text === 'string'));
}

function requireUrl(url: string, number: number, source: TargetSource): void {
  if (!URL.canParse(url))
    throw invalid(source, number, `expected an address such as http://127.0.0.1:8080/…, found ${url}`);
}

function httpTargets(lines: readonly Line[], source: TargetSource): readonly LoadTarget[] {
  const targets: LoadTarget[] = [];
  for (const block of httpBlocks(lines)) add(targets, httpTarget(block, source), { source, number: block[0].number });
  return targets;
}

type Block = [Line, ...Line[]];

/** Lines of each target, without comments. It ends at an empty line, after its body, or before a request line. */
function httpBlocks(lines: readonly Line[]): readonly Block[] {
  const blocks: Block[] = [];
  let isOpen = false;
  for (const each of lines.filter(({ line }) => !line.startsWith('#'))) {
    const block: Block | undefined = isOpen && !REQUEST_LINE.test(each.line) ? blocks.at(-1) : undefined;
    if (each.line === '') isOpen = false;
    else {
      if (block === undefined) blocks.push([each]);
      else block.push(each);
      isOpen = block === undefined || !each.line.startsWith('@');
    }
  }
  return blocks;
}

function httpTarget([request, ...rest]: Block, source: TargetSource): LoadTarget {
  const [, method = '', url = ''] = /^([A-Z]+)\s+(\S+)$/.exec(request.line) ?? [];
  if (method === '') throw invalid(source, request.number, 'expected a method and an address, such as POST http://…');
  requireUrl(url, request.number, source);
  const headers: Record<string, string[]> = {};
  let body: Pick<LoadTarget, 'bytes' | 'path'> = { bytes: new Uint8Array() };
  for (const each of rest) {
    if (each.line.startsWith('@')) body = bodyOf(each, source);
    else addHeader(headers, each, source);
  }
  return { method, url, headers, ...body };
}

function bodyOf({ line, number }: Line, source: TargetSource): Pick<LoadTarget, 'bytes' | 'path'> {
  const path = line.slice(1);
  try {
    return { bytes: source.readBody(path), path };
  } catch (cause) {
    throw invalid(source, number, `expected a readable file after @, found ${path}`, cause);
  }
}

function addHeader(headers: Record<string, string[]>, { line, number }: Line, source: TargetSource): void {
  const [, name = '', value = ''] = /^([^:]+?)\s*:\s*(.+)$/.exec(line) ?? [];
  if (name === '') throw invalid(source, number, 'expected a header such as content-type: application/json');
  headers[name] = [...(headers[name] ?? []), value];
}

/** Text of targets. The format `http` takes bodies only from files: WRONG_USAGE for another body. */
export function targetsText(targets: readonly LoadTarget[], format: TargetFormat): string {
  return targets.map((target) => (format === 'json' ? jsonText(target) : httpText(target))).join('');
}

function jsonText({ method, url, headers, bytes }: LoadTarget): string {
  const body = bytes.length === 0 ? undefined : Buffer.from(bytes).toString('base64');
  return `${JSON.stringify({ method, url, body, header: headers })}\n`;
}

function httpText({ method, url, headers, bytes, path }: LoadTarget): string {
  if (bytes.length > 0 && path === undefined)
    throw new AppError(
      'WRONG_USAGE',
      'The format http of vegeta takes bodies only from files: give --body FILE, or a name that ends in .json.',
    );
  const lines = Object.entries(headers).flatMap(([name, values]) => values.map((value) => `${name}: ${value}\n`));
  return `${method} ${url}\n${lines.join('')}${path === undefined ? '' : `@${path}\n`}\n`;
}

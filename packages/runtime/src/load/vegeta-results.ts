/**
 * Results of vegeta v12, one record for each request: `json` has one object a line, `csv` twelve columns. Vegeta's own
 * binary format (gob) belongs to the Go language; `vegeta encode` turns it into either.
 */
import { AppError } from '@equipoise/core/model';

/** A request that has ended; `attack` is vegeta's name for a run. */
export interface LoadRecord {
  readonly attack: string;
  readonly seq: number;
  /** HTTP status, or an error code such as `TIMEOUT`. */
  readonly status: number | string;
  /** Instant from which the latency counts, with a precision of about 0.25 µs. */
  readonly sentAtEpochMs: number;
  readonly latencyMs: number;
  /** Instant at which the request was sent; absent in results of other tools. */
  readonly startedAtEpochMs?: number;
  /** Reason of a drop, as the answer names it. */
  readonly dropReason?: string;
  readonly bytesOut: number;
  readonly bytesIn: number;
  readonly error: string;
  readonly method: string;
  readonly url: string;
}

export const resultFormats = ['csv', 'json'] as const;

export type ResultFormat = (typeof resultFormats)[number];

/** Vegeta's mark for an attack that reached the end of its targets: not a request. */
export const NO_TARGETS = 'no targets to attack';

const MOST_LINE_CHARACTERS = 16 * 1024 * 1024;
/** Of a record with line breaks in a quoted cell. Longer ones begin with a quote that no other one closes. */
const MOST_QUOTED_CHARACTERS = 256 * 1024;
const NS_PER_MS = 1_000_000;

export function resultText(record: LoadRecord, format: ResultFormat): string {
  return format === 'json' ? `${jsonText(record)}\n` : `${csvText(record)}\n`;
}

const codeOf = ({ status }: LoadRecord): number => (typeof status === 'number' ? status : 0);

function jsonText(record: LoadRecord): string {
  const { attack, seq, latencyMs, bytesOut, bytesIn, error, method, url } = record;
  return JSON.stringify({
    attack,
    seq,
    code: codeOf(record),
    timestamp: timestampOf(record.sentAtEpochMs),
    latency: Math.round(latencyMs * NS_PER_MS),
    bytes_out: bytesOut,
    bytes_in: bytesIn,
    error,
    body: null,
    method,
    url,
    headers: null,
  });
}

function csvText(record: LoadRecord): string {
  const { attack, seq, sentAtEpochMs, latencyMs, bytesOut, bytesIn, error, method, url } = record;
  const ns = `${Math.floor(sentAtEpochMs)}${fractionOf(sentAtEpochMs)}`;
  const latency = Math.round(latencyMs * NS_PER_MS);
  const cells = [ns, codeOf(record), latency, bytesOut, bytesIn, error, '', attack, seq, method, url, ''];
  return cells.map((cell) => csvCell(String(cell))).join(',');
}

const csvCell = (text: string): string => (/[",\r\n]|^\s/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);

/** Nanoseconds within a millisecond, as six digits. */
const fractionOf = (epochMs: number): string =>
  String(Math.min(NS_PER_MS - 1, Math.floor((epochMs - Math.floor(epochMs)) * NS_PER_MS))).padStart(6, '0');

const timestampOf = (epochMs: number): string =>
  new Date(Math.floor(epochMs)).toISOString().replace('Z', `${fractionOf(epochMs)}Z`);

/**
 * Reads records chunk by chunk, in either format. Throws FILE_UNREADABLE with the number of the invalid line, also for
 * vegeta's binary format.
 */
export async function* readResults(
  chunks: AsyncIterable<string> | Iterable<string>,
  fileName: string,
): AsyncGenerator<LoadRecord> {
  let number = 0;
  for await (const line of linesOf(chunks, fileName)) {
    number += 1;
    if (line.trim() === '') continue;
    const place = `${fileName}:${number}`;
    yield line.trimStart().startsWith('{') ? jsonRecord(line, place) : csvRecord(line, place);
  }
}

/** Lines; a quoted cell of CSV may contain line breaks. */
async function* linesOf(chunks: AsyncIterable<string> | Iterable<string>, fileName: string): AsyncGenerator<string> {
  let number = 1;
  let line = '';
  let quotes = 0;
  let isJson = false;
  for await (const { text, isEnd } of partsOf(chunks)) {
    if (line === '') isJson = text.startsWith('{');
    line += text;
    quotes += isJson ? 0 : text.split('"').length - 1;
    requireShort(line, fileName);
    if (!isEnd) continue;
    if (quotes % 2 === 0) {
      yield line.replace(/\r$/, '');
      number += 1;
      [line, quotes] = ['', 0];
    } else if (line.length > MOST_QUOTED_CHARACTERS) throw unreadable(`${fileName}:${number}`);
    else line += '\n';
  }
  if (line !== '') yield line;
}

/** Parts of lines; a line break follows those that end. */
async function* partsOf(chunks: AsyncIterable<string> | Iterable<string>) {
  for await (const chunk of chunks) {
    const texts = chunk.split('\n');
    for (const [index, text] of texts.entries()) yield { text, isEnd: index < texts.length - 1 };
  }
}

function requireShort(line: string, fileName: string): void {
  if (line.length > MOST_LINE_CHARACTERS)
    throw new AppError('FILE_UNREADABLE', `${fileName} has a line of more than ${MOST_LINE_CHARACTERS} characters.`);
}

function unreadable(place: string): AppError {
  return new AppError(
    'FILE_UNREADABLE',
    `${place}: expected a result of vegeta as JSON or CSV. Convert vegeta's binary results first: vegeta encode --to csv FILE.`,
  );
}

function jsonRecord(line: string, place: string): LoadRecord {
  let parsed: Readonly<Record<string, unknown>>;
  try {
    parsed = JSON.parse(line) as Readonly<Record<string, unknown>>;
  } catch {
    throw unreadable(place);
  }
  const { attack = '', seq = 0, code, timestamp, latency, bytes_out = 0, bytes_in = 0, error = '' } = parsed;
  const { method = '', url = '' } = parsed;
  return checked(
    {
      attack: String(attack),
      seq: Number(seq),
      code: Number(code),
      sentAtEpochMs: epochMsOf(String(timestamp)),
      latencyNs: Number(latency),
      bytesOut: Number(bytes_out),
      bytesIn: Number(bytes_in),
      error: String(error),
      method: String(method),
      url: String(url),
    },
    place,
  );
}

/** Instant of a timestamp in RFC 3339 with up to nine digits of a second. */
function epochMsOf(timestamp: string): number {
  const [, seconds = '', digits = '', zone = ''] = /^([^.]+?)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)$/.exec(timestamp) ?? [];
  return Date.parse(`${seconds}${zone}`) + Number(`0.${digits || '0'}`) * 1000;
}

const COLUMNS = 12;

function csvRecord(line: string, place: string): LoadRecord {
  const cells = csvCells(line);
  if (cells.length !== COLUMNS) throw unreadable(place);
  const [timestamp = '', code, latency, bytesOut, bytesIn, error = '', , attack = '', seq, method = '', url = ''] =
    cells;
  return checked(
    {
      attack,
      seq: Number(seq),
      code: Number(code),
      sentAtEpochMs: /^\d{7,19}$/.test(timestamp)
        ? Number(timestamp.slice(0, -6)) + Number(timestamp.slice(-6)) / NS_PER_MS
        : Number.NaN,
      latencyNs: Number(latency),
      bytesOut: Number(bytesOut),
      bytesIn: Number(bytesIn),
      error,
      method,
      url,
    },
    place,
  );
}

function csvCells(line: string): readonly string[] {
  const cells = line.matchAll(/(?:^|,)\s*(?:"((?:[^"]|"")*)"|([^,]*))/g);
  return [...cells].map(([, quoted, plain = '']) => quoted?.replaceAll('""', '"') ?? plain);
}

/** Vegeta keeps latencies in 64 bits. */
const MOST_NS = 2 ** 63;

interface RawRecord extends Omit<LoadRecord, 'status' | 'latencyMs'> {
  readonly code: number;
  readonly latencyNs: number;
}

function checked({ code, latencyNs, ...record }: RawRecord, place: string): LoadRecord {
  const { seq, sentAtEpochMs, bytesIn, bytesOut } = record;
  const isCount = [seq, code, bytesIn, bytesOut].every((value) => Number.isInteger(value) && value >= 0);
  if (!isCount || !Number.isFinite(sentAtEpochMs) || !(latencyNs >= 0 && latencyNs < MOST_NS)) throw unreadable(place);
  return { ...record, status: code === 0 ? statusOfError(record.error) : code, latencyMs: latencyNs / NS_PER_MS };
}

/** Error code of a request without an answer, from the text of Go's HTTP client. */
const ERROR_CODES: readonly (readonly [RegExp, string])[] = [
  [/connection refused/i, 'ECONNREFUSED'],
  [/timeout|deadline exceeded/i, 'TIMEOUT'],
  [/connection reset|EOF/i, 'ECONNRESET'],
  [/no such host/i, 'ENOTFOUND'],
  [/^[A-Z][A-Z_]+$/, ''],
];

function statusOfError(error: string): string {
  const [, code] = ERROR_CODES.find(([pattern]) => pattern.test(error)) ?? [undefined, 'FAILED'];
  return code === '' ? error : code;
}

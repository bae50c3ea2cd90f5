/**
 * W3C Trace Context (https://www.w3.org/TR/trace-context/): reads and writes `traceparent` and `tracestate`. An invalid
 * `traceparent` counts as absent, and so does its `tracestate`. An invalid `tracestate` is dropped alone.
 */

/** Ids are lower-case hexadecimal: 32 digits for a trace, 16 for a span. */
export interface TraceParent {
  readonly traceId: string;
  readonly spanId: string;
  readonly isSampled: boolean;
  /** `tracestate`, at most `MOST_STATE` characters. */
  readonly state?: string | undefined;
}

export type TraceHeaders = Readonly<Record<string, string | readonly string[] | undefined>>;

/** Longer states are not parsed. */
const MOST_STATE_READ = 8192;
const MOST_STATE = 512;
const MOST_MEMBERS = 32;
/** To shorten a state, members longer than this go first. */
const LONG_MEMBER = 128;

const PARENT_LENGTH = 55;
const PARENT = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})$/;
const NO_TRACE = '0'.repeat(32);
const NO_SPAN = '0'.repeat(16);
const FORBIDDEN_VERSION = 'ff';

const KEY = /^[a-z0-9][a-z0-9_\-*/@]{0,255}$/;
const VALUE = /^[\x20-\x2b\x2d-\x3c\x3e-\x7e]{0,255}[\x21-\x2b\x2d-\x3c\x3e-\x7e]$/;

/** Context of the caller; undefined without a valid one. */
export function readTraceParent(headers: TraceHeaders): TraceParent | undefined {
  const header = headers['traceparent'];
  if (typeof header !== 'string') return undefined;
  // Versions after 00 may append fields.
  const isLonger = header.length > PARENT_LENGTH;
  if (isLonger && (header.startsWith('00') || header[PARENT_LENGTH] !== '-')) return undefined;
  const [, version, traceId, spanId, flags] = PARENT.exec(header.slice(0, PARENT_LENGTH)) ?? [];
  if (traceId === undefined || spanId === undefined || flags === undefined) return undefined;
  if (version === FORBIDDEN_VERSION || traceId === NO_TRACE || spanId === NO_SPAN) return undefined;
  const state = readTraceState(headers['tracestate']);
  return { traceId, spanId, isSampled: (Number.parseInt(flags, 16) & 1) === 1, state };
}

export function writeTraceParent({ traceId, spanId, isSampled }: TraceParent): string {
  return `00-${traceId}-${spanId}-${isSampled ? '01' : '00'}`;
}

/** Headers for a server that the request calls. */
export function traceHeaders(context: TraceParent): Readonly<Record<string, string>> {
  const traceparent = writeTraceParent(context);
  return context.state === undefined ? { traceparent } : { traceparent, tracestate: context.state };
}

/** Valid members, in order; undefined if there are none, or if one is invalid or given twice. */
function readTraceState(header: string | readonly string[] | undefined): string | undefined {
  const text = typeof header === 'object' ? header.join() : header;
  if (text === undefined || text.length > MOST_STATE_READ) return undefined;
  const members: string[] = [];
  const keys = new Set<string>();
  for (const part of text.split(',', MOST_STATE_READ)) {
    const member = trimmed(part);
    if (member === '') continue;
    const at = member.indexOf('=');
    const key = member.slice(0, Math.max(0, at));
    if (!KEY.test(key) || !VALUE.test(member.slice(at + 1)) || keys.has(key) || keys.size === MOST_MEMBERS)
      return undefined;
    keys.add(key);
    members.push(member);
  }
  return members.length === 0 ? undefined : shortened(members);
}

function shortened(members: readonly string[]): string | undefined {
  let kept = members;
  if (lengthOf(kept) > MOST_STATE) kept = kept.filter(({ length }) => length <= LONG_MEMBER);
  while (lengthOf(kept) > MOST_STATE) kept = kept.slice(0, -1);
  return kept.length === 0 ? undefined : kept.join();
}

function lengthOf(members: readonly string[]): number {
  return members.reduce((sum, { length }) => sum + length + 1, -1);
}

/** Without spaces and tabs around it. */
function trimmed(part: string): string {
  let [from, to] = [0, part.length];
  while (from < to && isBlank(part, from)) from += 1;
  while (to > from && isBlank(part, to - 1)) to -= 1;
  return part.slice(from, to);
}

function isBlank(text: string, at: number): boolean {
  return text[at] === ' ' || text[at] === '\t';
}

/** Parses JSON bodies. Error messages give the position only: messages of the engine quote the text. */
import { AppError } from '@equipoise/core/model';
import { jsonProblem } from './json-problem.js';

const utf8 = new TextDecoder('utf-8', { fatal: true });

/** Parses JSON; throws MALFORMED_REQUEST. */
export function parseJson(bytes: Uint8Array): unknown {
  const text = decodeText(bytes);
  try {
    return JSON.parse(text);
  } catch {
    throw notJson(text);
  }
}

/** Parses JSON with long integers as decimal strings; undefined if it has none. */
export function parseExactJson(bytes: Uint8Array): unknown {
  const text = decodeText(bytes);
  return mayHaveLongIntegers(text) ? parseWithExactIntegers(text) : undefined;
}

/** Decodes UTF-8; throws MALFORMED_REQUEST. */
export function decodeText(bytes: Uint8Array): string {
  try {
    return utf8.decode(bytes);
  } catch {
    throw new AppError('MALFORMED_REQUEST', 'The body is not UTF-8 text.');
  }
}

function notJson(text: string): AppError {
  if (text.trim() === '') return new AppError('MALFORMED_REQUEST', 'The body is empty; a JSON object was expected.');
  const { offset, expected } = jsonProblem(text) ?? { offset: 0, expected: 'a shorter document' };
  const before = text.slice(0, offset).split('\n');
  const [line, column] = [before.length, (before.at(-1)?.length ?? 0) + 1];
  const position = `position ${offset} (line ${line}, column ${column})`;
  return new AppError('MALFORMED_REQUEST', `The body is not JSON: ${expected} expected at ${position}.`, {
    details: { offset, line, column },
  });
}

/**
 * JSON.parse rounds integers beyond ±(2^53 − 1), but clients write 64-bit integers as numbers. Integers of 16 to 20
 * digits are quoted before parsing.
 */

/** Integers of 16 to 20 digits, the maximum of 64 bits. Without that limit, backtracking could overflow the stack. */
const LONG_INTEGER = /(?<![\w.+-])-?\d{16,20}(?![\d.eE])/g;

/** True if the text may have long integers; digits inside strings count, too. */
export function mayHaveLongIntegers(text: string): boolean {
  return /\d{16}/.test(text);
}

/** Parses valid JSON with long integers as decimal strings. */
export function parseWithExactIntegers(text: string): unknown {
  return JSON.parse(quotedLongIntegers(text));
}

function quotedLongIntegers(text: string): string {
  const parts: string[] = [];
  for (let at = 0; at < text.length; ) {
    const quote = text.indexOf('"', at);
    const outside = quote < 0 ? text.length : quote;
    parts.push(text.slice(at, outside).replace(LONG_INTEGER, '"$&"'));
    at = quote < 0 ? text.length : endOfString(text, quote);
    parts.push(text.slice(outside, at));
  }
  return parts.join('');
}

function endOfString(text: string, start: number): number {
  for (let at = start + 1; ; ) {
    const quote = text.indexOf('"', at);
    if (quote < 0) return text.length;
    let backslashes = 0;
    while (text[quote - 1 - backslashes] === '\\') backslashes += 1;
    if (backslashes % 2 === 0) return quote + 1;
    at = quote + 1;
  }
}

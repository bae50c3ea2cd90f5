/** Parses JSON bodies. The engine's messages quote the text; these name only the position. */
import { AppError } from '@equipoise/core/model';
import { mayHaveLongIntegers, parseWithExactIntegers } from './exact-integers.js';
import { jsonProblem } from './json-problem.js';

const utf8 = new TextDecoder('utf-8', { fatal: true });

/** Parses UTF-8 `bytes`; throws MALFORMED_REQUEST with the position. */
export function parseJson(bytes: Uint8Array): unknown {
  const text = decodeText(bytes);
  try {
    return JSON.parse(text);
  } catch {
    throw notJson(text);
  }
}

/** Parses again with long integers as decimal strings; undefined if there are none. */
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

/**
 * JSON with exact long integers. JSON.parse rounds beyond ±(2^53 − 1), but clients write 64-bit integers as numbers.
 * Integers of 16 to 20 digits outside strings are quoted before parsing and arrive as decimal strings.
 */

/** 64-bit integers have at most 20 digits. An unbounded run of digits would overflow the stack in backtracking. */
const LONG_INTEGER = /(?<![\w.+-])-?\d{16,20}(?![\d.eE])/g;

/** May be wrong about digits inside strings. */
export function mayHaveLongIntegers(text: string): boolean {
  return /\d{16}/.test(text);
}

/** Parses valid JSON with long integers as strings. */
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

/** Offset after the string that begins at `start`. */
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

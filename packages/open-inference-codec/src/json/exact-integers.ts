/**
 * JSON whose long integers keep their digits: JSON.parse rounds numbers beyond ±(2^53 − 1), and clients write 64-bit integers as numbers.
 * Integers of 16 to 20 digits are put in quotes before the text is parsed, outside strings, so that they come as decimal strings.
 */

/** No 64-bit integer has more than 20 digits, and a run of millions that is gone back over overflows the stack. */
const LONG_INTEGER = /(?<![\w.+-])-?\d{16,20}(?![\d.eE])/g;

/** Whether a text may have long integers; strings may feign them. */
export function mayHaveLongIntegers(text: string): boolean {
  return /\d{16}/.test(text);
}

/** The value of a text that is JSON, its long integers as strings. */
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

/** The place behind the string that begins at `start`. */
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

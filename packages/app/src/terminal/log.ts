import { stripVTControlCharacters } from 'node:util';
import pc from 'picocolors';

export type LogFormat = 'text' | 'json';

/** Format of the log of this process. */
let format: LogFormat = 'text';

export const logFormat = (): LogFormat => format;

export function setLogFormat(chosen: LogFormat): void {
  format = chosen;
}

/** Writes a line of JSON, in either format. */
export function logLine(
  level: 'info' | 'warning' | 'error',
  message: string,
  facts: Readonly<Record<string, unknown>> = {},
): void {
  process.stderr.write(`${JSON.stringify({ at: new Date().toISOString(), level, message, ...facts })}\n`);
}

/** On a terminal, a log line replaces a line of progress. */
const CLEAR_LINE = process.stderr.isTTY ? '\r\u001b[K' : '';

export function log(text: string): void {
  if (format === 'json') logLine('info', plain(text));
  else writeText(text);
}

export function logError(what: string, error: unknown): void {
  const reason = error instanceof Error ? error.message : String(error);
  if (format === 'json') logLine('error', plain(`${what}: ${reason}`));
  else writeText(`${pc.red(what)}: ${reason}`);
}

export function warn(text: string): void {
  if (format === 'json') logLine('warning', plain(text));
  else process.stderr.write(`${pc.yellow('warning')} ${text}\n`);
}

const plain = stripVTControlCharacters;

function writeText(text: string): void {
  process.stderr.write(`${CLEAR_LINE}${pc.dim(new Date().toISOString())} ${text}\n`);
}

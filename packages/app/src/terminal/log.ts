import pc from 'picocolors';

export function logLine(level: 'info' | 'error', message: string, facts: Readonly<Record<string, unknown>> = {}): void {
  process.stderr.write(`${JSON.stringify({ at: new Date().toISOString(), level, message, ...facts })}\n`);
}

/** On a terminal, a log line replaces a line of progress. */
const CLEAR_LINE = process.stderr.isTTY ? '\r\u001b[K' : '';

export function log(text: string): void {
  process.stderr.write(`${CLEAR_LINE}${pc.dim(new Date().toISOString())} ${text}\n`);
}

export function logError(what: string, error: unknown): void {
  log(`${pc.red(what)}: ${error instanceof Error ? error.message : String(error)}`);
}

export function warn(text: string): void {
  process.stderr.write(`${pc.yellow('warning')} ${text}\n`);
}

import pc from 'picocolors';

/** Writes one JSON document per line to stderr: time, level, message and facts. */
export function logLine(level: 'info' | 'error', message: string, facts: Readonly<Record<string, unknown>> = {}): void {
  process.stderr.write(`${JSON.stringify({ at: new Date().toISOString(), level, message, ...facts })}\n`);
}

/** Writes a line for people to stderr, with the time. */
export function log(text: string): void {
  process.stderr.write(`${pc.dim(new Date().toISOString())} ${text}\n`);
}

/** Logs an error with its subject. */
export function logError(what: string, error: unknown): void {
  log(`${pc.red(what)}: ${error instanceof Error ? error.message : String(error)}`);
}

/** Writes a warning to stderr. */
export function warn(text: string): void {
  process.stderr.write(`${pc.yellow('warning')} ${text}\n`);
}

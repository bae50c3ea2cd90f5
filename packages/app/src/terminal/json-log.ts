/** A log for programs: one JSON document a line on stderr, with the instant, how bad it is, what happened, and the facts beside it. */

/** Writes a line. */
export function logLine(level: 'info' | 'error', message: string, facts: Readonly<Record<string, unknown>> = {}): void {
  process.stderr.write(`${JSON.stringify({ at: new Date().toISOString(), level, message, ...facts })}\n`);
}

/** Writes one JSON document per line to stderr: time, level, message and facts. */
export function logLine(level: 'info' | 'error', message: string, facts: Readonly<Record<string, unknown>> = {}): void {
  process.stderr.write(`${JSON.stringify({ at: new Date().toISOString(), level, message, ...facts })}\n`);
}

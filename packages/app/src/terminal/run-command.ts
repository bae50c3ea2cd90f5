/**
 * How every command begins and ends: its result goes to stdout as JSON or as text, an error to where errors go, and the exit code
 * tells scripts which it was. With `--json` nothing but one document is on stdout, errors included.
 */
import { ExitCode } from './exit-code.js';

/** What a command has to say: a document for programs, text for people, and whether the answer is no. */
export interface CommandResult {
  readonly json: unknown;
  readonly text: string;
  readonly answerIsNo?: boolean;
}

/** Runs a command and prints its result; a command that prints by itself (a server) returns undefined. */
export async function runCommand(
  options: { readonly json?: boolean },
  command: () => Promise<CommandResult | undefined>,
): Promise<void> {
  try {
    const result = await command();
    if (result === undefined) return;
    process.stdout.write(options.json ? `${JSON.stringify(result.json, null, 2)}\n` : `${result.text.trimEnd()}\n`);
    process.exitCode = result.answerIsNo ? ExitCode.answerIsNo : ExitCode.done;
  } catch (error) {
    // Loaded here because it brings core along, which help and most commands need later or never.
    (await import('./report-error.js')).reportError(error, options.json === true);
  }
}

/**
 * How every command begins and ends: its result goes to stdout as JSON or as text, an error to stderr with what to do about it,
 * and the exit code tells scripts which it was. With `--json` nothing but one document is on stdout, errors included.
 */
import pc from 'picocolors';
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
    await reportError(error, options.json === true);
  }
}

async function reportError(error: unknown, json: boolean): Promise<void> {
  // Loaded here so that help and usage errors do not wait for core.
  const { AppError, errorCodes } = await import('@equipoise/core');
  if (!(error instanceof AppError)) throw error;
  const { exitCode, remedy } = errorCodes[error.code];
  const docs = `docs/reference/errors.md#${error.code.toLowerCase()}`;
  process.exitCode = exitCode;
  if (json) {
    const { code, message, details } = error;
    process.stdout.write(`${JSON.stringify({ error: { code, message, details, docs } }, null, 2)}\n`);
  } else {
    process.stderr.write(`${pc.red(`error ${error.code}`)}: ${error.message}\n${pc.dim(`${remedy} (${docs})`)}\n`);
  }
}

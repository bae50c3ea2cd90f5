/** Runs every command: result, errors, exit code. With `--json` stdout has exactly one document. */
import { isOutOfFiles } from './file-limit.js';

export const ExitCode = { done: 0, answerIsNo: 1, wrongUsage: 2, outsideFailure: 3 } as const;

/** Result of a command: a document for programs, text for people. */
export interface CommandResult {
  readonly json: unknown;
  readonly text: string;
  /** Lines for people on stderr, such as warnings; not shown with `--json`. */
  readonly notes?: readonly string[];
  readonly answerIsNo?: boolean;
}

/** Runs a command. Servers print by themselves and return undefined. */
export async function runCommand(
  options: { readonly json?: boolean },
  command: () => Promise<CommandResult | undefined>,
): Promise<void> {
  try {
    const result = await command();
    if (result === undefined) return;
    const { json, text, notes = [] } = result;
    if (!options.json) process.stderr.write(notes.map((line) => `${line}\n`).join(''));
    const shown = options.json ? JSON.stringify(json, null, 2) : text.trimEnd();
    if (shown !== '') process.stdout.write(`${shown}\n`);
    process.exitCode = result.answerIsNo ? ExitCode.answerIsNo : ExitCode.done;
  } catch (error) {
    // `main.ts` reports it without loading a module.
    if (isOutOfFiles(error)) throw error;
    // Imported only here: it loads core, which help does not need.
    (await import('./report-error.js')).reportError(error, options.json === true);
  }
}

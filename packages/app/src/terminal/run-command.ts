/** Runs every command: result, errors, exit code. With `--json` stdout has exactly one document. */

export const ExitCode = { done: 0, answerIsNo: 1, wrongUsage: 2, outsideFailure: 3 } as const;

/** Result of a command: a document for programs, text for people. */
export interface CommandResult {
  readonly json: unknown;
  readonly text: string;
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
    process.stdout.write(options.json ? `${JSON.stringify(result.json, null, 2)}\n` : `${result.text.trimEnd()}\n`);
    process.exitCode = result.answerIsNo ? ExitCode.answerIsNo : ExitCode.done;
  } catch (error) {
    // Imported only here: it loads core, which help does not need.
    (await import('./report-error.js')).reportError(error, options.json === true);
  }
}

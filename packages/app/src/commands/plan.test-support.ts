/** Runs `plan` in the process of the test, without starting Node for each question. */
import { join } from 'node:path';
import { AppError, errorCodes } from '@equipoise/core/model';
import { CommanderError } from 'commander';
import { buildProgram } from '../build-program.js';
import { ExitCode } from '../terminal/run-command.js';
import { plan } from './plan.js';
import type { PlanOptions } from './plan-question.js';

/** Answer or error as `--json` prints it, with the exit code; `text` is the human-readable form. */
export interface Planned {
  readonly exitCode: number;
  readonly document: unknown;
  readonly text: string;
}

/** Runs `plan FILE… FLAGS` on files of `folder`. */
export async function planned(folder: string, files: readonly string[], ...flags: string[]): Promise<Planned> {
  try {
    const paths = files.map((file) => join(folder, file));
    const { json, text, answerIsNo } = await plan(paths, optionsOf(flags));
    // Values that JSON cannot represent are lost, as in real output.
    const document = JSON.parse(JSON.stringify(json)) as unknown;
    return { exitCode: answerIsNo ? ExitCode.answerIsNo : ExitCode.done, document, text };
  } catch (error) {
    if (error instanceof AppError)
      return { exitCode: errorCodes[error.code].exitCode, document: { error }, text: error.message };
    if (error instanceof CommanderError)
      return { exitCode: ExitCode.wrongUsage, document: { error: { code: 'WRONG_USAGE' } }, text: error.message };
    throw error;
  }
}

function optionsOf(flags: readonly string[]): PlanOptions {
  const command = buildProgram().commands.find((each) => each.name() === 'plan');
  let options: PlanOptions | undefined;
  command?.configureOutput({ writeErr: () => {} }).action((_files, given) => {
    options = given as PlanOptions;
  });
  command?.parse(['FILE', ...flags], { from: 'user' });
  if (options === undefined) throw new Error('the command was not run');
  return options;
}

import { CommanderError } from 'commander';
import { buildProgram, commandsOf } from './build-program.js';
import { ExitCode } from './terminal/run-command.js';

/** Runs the command and sets `process.exitCode`. Reports wrong usage as JSON if requested. */
export async function runProgram(args: readonly string[]): Promise<void> {
  const json = asksForJson(args);
  const program = buildProgram();
  const all = [program, ...commandsOf(program).map(({ command }) => command)];
  if (json) for (const command of all) command.configureOutput({ writeErr: () => {} });
  try {
    await program.parseAsync(args, { from: 'user' });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (json && error.exitCode !== 0) await reportWrongUsage(error);
    else process.exitCode = error.exitCode === 0 ? ExitCode.done : ExitCode.wrongUsage;
  }
}

/** True if the arguments contain `--json`, even if they are invalid. */
function asksForJson(args: readonly string[]): boolean {
  const end = args.indexOf('--');
  return args.slice(0, end < 0 ? undefined : end).includes('--json');
}

async function reportWrongUsage({ code, message }: CommanderError): Promise<void> {
  const [{ AppError }, { reportError }] = await Promise.all([
    import('@equipoise/core/model'),
    import('./terminal/report-error.js'),
  ]);
  const text = code === 'commander.help' ? 'Name a command; `equipoise --help` lists them.' : message;
  reportError(new AppError('WRONG_USAGE', text.replace(/^error: /, ''), { details: { reason: code } }), true);
}

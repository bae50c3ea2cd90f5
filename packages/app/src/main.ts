/** Entry of `equipoise`: parses the arguments and gives every wrong usage its exit code, as JSON if that was asked for. */
import { CommanderError } from 'commander';
import { buildProgram, commandsOf } from './build-program.js';
import { ExitCode } from './terminal/exit-code.js';

/** Whether `--json` is among the arguments, even where they make no sense otherwise. */
function asksForJson(args: readonly string[]): boolean {
  const end = args.indexOf('--');
  return args.slice(0, end < 0 ? undefined : end).includes('--json');
}

async function main(args: readonly string[]): Promise<void> {
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

async function reportWrongUsage({ code, message }: CommanderError): Promise<void> {
  const [{ AppError }, { reportError }] = await Promise.all([
    import('@equipoise/core'),
    import('./terminal/report-error.js'),
  ]);
  const text = code === 'commander.help' ? 'Name a command; `equipoise --help` lists them.' : message;
  reportError(new AppError('WRONG_USAGE', text.replace(/^error: /, ''), { details: { reason: code } }), true);
}

// Colors are decided by a library that takes any value for a yes.
if (['0', 'false'].includes(process.env['FORCE_COLOR'] ?? '')) process.env['NO_COLOR'] ??= '1';
for (const stream of [process.stdout, process.stderr]) {
  stream.on('error', (error: NodeJS.ErrnoException) => {
    // A reader that has seen enough, such as head, is no failure; nor may a server end because nobody reads its log any more.
    if (error.code !== 'EPIPE') throw error;
  });
}
await main(process.argv.slice(2));

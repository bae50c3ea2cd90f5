import { allCommands, buildProgram } from './build-program.js';
import { ExitCode } from './terminal/run-command.js';
import { UsageError } from './terminal/usage-error.js';

/** Runs the command and sets `process.exitCode`. Wrong usage is reported like any other error. */
export async function runProgram(args: readonly string[]): Promise<void> {
  const json = asksForJson(args);
  const program = buildProgram();
  for (const { command } of allCommands(program))
    command.configureOutput({ outputError: () => {}, ...(json && { writeErr: () => {} }) });
  try {
    await program.parseAsync(args, { from: 'user' });
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    process.exitCode = error.exitCode === 0 ? ExitCode.done : ExitCode.wrongUsage;
    // Without a command, the parser has shown the help.
    if (error.exitCode !== 0 && (json || error.code !== 'commander.help')) await reportWrongUsage(error, json);
  }
}

/** True if the arguments contain `--json`, even if they are invalid. */
function asksForJson(args: readonly string[]): boolean {
  const end = args.indexOf('--');
  return args.slice(0, end < 0 ? undefined : end).includes('--json');
}

/** Commands that people look for, and those that answer their question. */
const INSTEAD: Readonly<Record<string, string>> = {
  predict: 'A prediction is `equipoise simulate FILE --seeds N`: figures with 95 % intervals.',
};

/** Empty, or a line that names the command to use. */
function insteadText({ code, message }: UsageError): string {
  const [, word = ''] = code === 'commander.unknownCommand' ? (/'(.*)'/.exec(message) ?? []) : [];
  const instead = Object.hasOwn(INSTEAD, word) ? INSTEAD[word] : undefined;
  return instead === undefined ? '' : `\n${instead}`;
}

async function reportWrongUsage(usage: UsageError, json: boolean): Promise<void> {
  const { code, message, commandName } = usage;
  const [{ AppError }, { reportError }] = await Promise.all([
    import('@equipoise/core/model'),
    import('./terminal/report-error.js'),
  ]);
  const text = code === 'commander.help' ? 'Name a command; `equipoise --help` lists them.' : message;
  const whole = `${text.replace(/^error: /, '').trim()}${insteadText(usage)}`;
  const error = new AppError('WRONG_USAGE', whole, { details: { reason: code } });
  reportError(error, json, `See \`equipoise ${`${commandName} `.trimStart()}--help\`.`);
}

/** Command line. The code of a command is imported only when it runs, so that help is fast. */
import { Argument, type Command, Help, type Option } from 'commander';
import { addDecisions } from './commands/decision-program.js';
import { addFirstSteps } from './commands/first-steps-program.js';
import { addKubernetes } from './commands/k8s/k8s-program.js';
import { addForecast, addLoad } from './commands/load-program.js';
import { addMeasurements } from './commands/measurement-program.js';
import { addOperator } from './commands/operator-program.js';
import { addPlanning } from './commands/planning-program.js';
import { addServe } from './commands/serve-program.js';
import { addSimulations } from './commands/simulation-program.js';
import { CheckedCommand } from './terminal/checked-command.js';
import { runCommand } from './terminal/run-command.js';
import { UsageError } from './terminal/usage-error.js';
import { VERSION } from './version.js';

/** Builds the program. `parseAsync` throws a CommanderError for wrong usage. */
export function buildProgram(): Command {
  const program = new CheckedCommand('equipoise')
    .description('Keeps multi-stage ML inference pipelines at their best balance of accuracy, tail latency and cost.')
    .version(VERSION)
    .showSuggestionAfterError(true)
    .configureHelp({ optionDescription });
  addFirstSteps(program);
  addMeasurements(program);
  addPlanning(program);
  addSimulations(program);
  addForecast(program);
  addServe(program);
  addKubernetes(program);
  addOperator(program);
  addDecisions(program);
  addLoad(program);
  addCompletion(program);
  for (const { name, command } of allCommands(program))
    command.exitOverride((error) => {
      throw new UsageError(error, name);
    });
  return program;
}

/** The program itself, with an empty name, and all commands. */
export const allCommands = (program: Command) => [{ name: '', command: program }, ...commandsOf(program)];

/** Text of a flag in the help: its meaning, choices and default, or that it is required. */
function optionDescription(option: Option): string {
  const usual = new Help().optionDescription(option);
  return option.mandatory ? `${usual} (required)` : usual;
}

function addCompletion(program: Command): void {
  program
    .command('completion')
    .addArgument(new Argument('<shell>', 'shell that will read the script').choices(['bash', 'zsh', 'fish']))
    .description(
      'print a script that completes commands and flags in a shell, such as `source <(equipoise completion bash)`',
    )
    .action((shell) =>
      runCommand({}, async () => {
        const { completionScript } = await import('./terminal/completion.js');
        return { json: undefined, text: completionScript(shell, allCommands(program)) };
      }),
    );
}

/** Executable commands with full names (`k8s render`), and command groups. */
export function commandsOf(
  program: Command,
  before = '',
): readonly { readonly name: string; readonly command: Command }[] {
  return program.commands.flatMap((command) => {
    const name = `${before}${command.name()}`;
    return [{ name, command }, ...commandsOf(command, `${name} `)];
  });
}

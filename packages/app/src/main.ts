/** The `equipoise` command line: names, flags and help. Each command's code is loaded only when it runs. */
import { Command, CommanderError, InvalidArgumentError, Option } from 'commander';
import { ExitCode } from './terminal/exit-code.js';
import { runCommand } from './terminal/run-command.js';
import { VERSION } from './version.js';

const policyNames = ['equipoise', 'static-cheapest', 'static-best'];

function numberAbove(least: number, description: string): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (text.trim() === '' || !Number.isFinite(value) || value < least)
      throw new InvalidArgumentError(`Expected ${description}.`);
    return value;
  };
}

const rate = numberAbove(0, 'a number of requests per second, 0 or more');
const positive = numberAbove(Number.MIN_VALUE, 'a number above 0');
const port = numberAbove(0, 'a port number, 0 for any free one');

function fraction(text: string): number {
  const value = numberAbove(0, 'a fraction from 0 to 1')(text);
  if (value > 1) throw new InvalidArgumentError('Expected a fraction from 0 to 1.');
  return value;
}

const jsonFlag = () => new Option('--json', 'print one JSON document on stdout; progress and logs go to stderr');

function buildProgram(): Command {
  const program = new Command('equipoise')
    .description('Keeps multi-stage ML inference pipelines at their best balance of accuracy, tail latency and cost.')
    .version(VERSION)
    .showHelpAfterError('(see equipoise COMMAND --help)')
    .showSuggestionAfterError(true)
    .exitOverride();

  program
    .command('demo')
    .description(
      'profile, plan, serve and adapt the example pipeline under a changing load, and compare with fixed plans',
    )
    .option('--policy <name>', `serve a fixed plan instead (${policyNames.slice(1).join(', ')})`, 'equipoise')
    .option('--report <file>', 'where to write the HTML report')
    .addOption(jsonFlag())
    .action((options) => runCommand(options, async () => (await import('./commands/demo.js')).demo(options)));

  program
    .command('init')
    .argument('[folder]', 'where to write the files', 'my-pipeline')
    .description('write a small pipeline of your own to start from')
    .addOption(jsonFlag())
    .action((folder, options) => runCommand(options, async () => (await import('./commands/init.js')).init(folder)));

  program
    .command('validate')
    .argument('<file>', 'pipeline file')
    .description('check a pipeline file and list all its problems')
    .addOption(jsonFlag())
    .action((file, options) =>
      runCommand(options, async () => (await import('./commands/validate.js')).validate(file)),
    );

  program
    .command('profile')
    .argument('<file>', 'pipeline file')
    .description('measure the service times of all variants on this machine')
    .option('--quick', 'less time per point')
    .option('--stage <name>', 'measure this stage only')
    .option('--out <file>', 'write the profile there as well')
    .option('--force', 'measure again what is already known')
    .addOption(jsonFlag())
    .action((file, options) =>
      runCommand(options, async () => (await import('./commands/profile.js')).profile(file, options)),
    );

  program
    .command('evaluate')
    .argument('<file>', 'pipeline file')
    .requiredOption('--data <folder>', 'folder of labelled samples')
    .option('--out <file>', 'write the accuracy table there as well')
    .description('measure the end-to-end accuracy of every combination of variants')
    .addOption(jsonFlag())
    .action((file, options) =>
      runCommand(options, async () => (await import('./commands/evaluate.js')).evaluate(file, options)),
    );

  program
    .command('plan')
    .argument('<file>', 'pipeline file')
    .requiredOption('--arrival-rps <n>', 'requests per second to plan for', rate)
    .addOption(new Option('--objective <name>', 'overrides the file').choices(['max-accuracy', 'min-cost', 'weights']))
    .option('--accuracy-floor <f>', 'least accuracy for min-cost, 0 to 1', fraction)
    .option('--weights <a,b,d>', 'weights of accuracy, cost and batch')
    .option('--slo-ms <m>', 'overrides the latency of the SLO', positive)
    .option('--budget-cores <c>', 'overrides the core budget', numberAbove(0, 'a number of cores'))
    .addOption(new Option('--policy <name>', 'how to plan').choices(policyNames).default('equipoise'))
    .addOption(
      new Option('--estimator <name>', 'where latencies come from')
        .choices(['distribution', 'sum-of-tails'])
        .default('distribution'),
    )
    .option('--no-verify', 'skip the simulation of the plan')
    .description('find the best plan for a load, with what is proven about it')
    .addOption(jsonFlag())
    .action((file, options) =>
      runCommand(options, async () => (await import('./commands/plan.js')).plan(file, options)),
    );

  program
    .command('serve')
    .argument('<file>', 'pipeline file')
    .description('serve the pipeline and adapt it to the load')
    .option('--host <address>', 'address to listen on', '127.0.0.1')
    .option('--port <n>', 'port to listen on', port, 8080)
    .option('--arrival-rps <n>', 'plan for this load at the start instead of going on with the last good plan', rate)
    .option('--max-body-bytes <n>', 'largest request body', positive, 16 * 1024 * 1024)
    .option('--fixed', 'keep the first plan, never adapt')
    .addOption(new Option('--policy <name>', 'plan of the start').choices(policyNames).default('equipoise'))
    .action((file, options) =>
      runCommand(options, async () => (await import('./commands/serve.js')).serve(file, options)),
    );

  program
    .command('load')
    .argument('<url>', 'the /v1/pipelines/NAME/run or /v2/models/NAME/infer address')
    .description('send an open-loop load and report latencies from the scheduled send time')
    .option('--arrival-rps <n>', 'constant rate', rate)
    .option('--duration-s <n>', 'length of a constant load', positive)
    .option('--load <file>', 'CSV with the number of requests of each second')
    .option('--arrivals <kind>', 'spread of a constant load: poisson or deterministic', 'poisson')
    .option('--body <path>', 'a file or a folder of files to send, in turn')
    .option('--content-type <type>', 'media type of the bodies; by their ending when left out')
    .option('--timeout-ms <n>', 'give up on a request after this time', positive, 10_000)
    .option('--seed <n>', 'seed of the arrivals', numberAbove(0, 'a whole number'), 1)
    .addOption(jsonFlag())
    .action((url, options) => runCommand(options, async () => (await import('./commands/load.js')).load(url, options)));

  for (const command of program.commands) command.exitOverride();
  return program;
}

async function main(): Promise<void> {
  try {
    await buildProgram().parseAsync();
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    process.exitCode = error.exitCode === 0 ? ExitCode.done : ExitCode.wrongUsage;
  }
}

await main();

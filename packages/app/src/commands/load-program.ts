/** `equipoise forecast` and `load`: names, flags and help. */
import { type Command, Option } from 'commander';
import { count, positive, rate, seed, sourcePaths, timeoutMs } from '../terminal/flag-values.js';
import { runCommand } from '../terminal/run-command.js';
import { arrivalsFlag, jsonFlag, keysFlag, loadFlag, partGapFlag, sourceFlag } from './shared-flags.js';

export function addForecast(program: Command): void {
  program
    .command('forecast')
    .argument('<trace>', 'CSV (or .gz) with the number of requests in each second, or the name of a shipped load')
    .description(
      'fit all forecasters to the first part of a trace, select one by pinball loss and test all on the rest',
    )
    .option(
      '--bin-s <n>',
      'length of a bin in seconds; the value of a bin is the largest number of requests in one second',
      count,
      10,
    )
    .option('--lags <n>', 'number of past bins that a forecast uses', count, 12)
    .option('--horizon-bins <n>', 'number of future bins whose largest value is forecast', count, 2)
    .option('--train-s <n>', 'seconds of the trace for fitting; the rest is for testing; default: five sevenths', count)
    .option(
      '--scale <f>',
      'factor for the counts; the products are rounded down; default: 1 for a shipped load, 0.125 for a file, as in the IPA paper',
      positive,
    )
    .option('--keep-zeros', 'keep seconds without requests instead of treating them as gaps of the trace')
    .option('--seed <n>', 'seed of the fits; the same seed gives the same forecasts', seed, 1)
    .option('--svg <file>', 'draw the last forecasts to this file')
    .addOption(jsonFlag())
    .action((trace, options) =>
      runCommand(options, async () => (await import('./forecast.js')).forecast(trace, options)),
    );
}

export function addLoad(program: Command): void {
  program
    .command('load')
    .argument(
      '[url]',
      'address of /v1/pipelines/NAME/run or /v2/models/NAME/infer; not with --targets or --read-results',
    )
    .description('send an open-loop load and report latencies, counted from the scheduled send times')
    .option('--arrival-rps <n>', 'rate of the load, in place of --load', rate)
    .option('--duration-s <n>', 'duration of the load, in place of --load', positive)
    .addOption(loadFlag())
    .addOption(arrivalsFlag())
    .option('--body <path>', 'file to send, or folder whose files are sent in turn; default: the JSON {}')
    .option(
      '--part <source=path>',
      'part of a source of several, as file or folder (repeat for each source); the parts of a request share an id',
      sourcePaths,
    )
    .addOption(partGapFlag().default(0))
    .addOption(sourceFlag())
    .addOption(keysFlag())
    .option('--content-type <type>', 'media type of the bodies; default: by file extension')
    .option('--token-file <file>', 'send the bearer token in this file')
    .option('--timeout-ms <n>', 'cancel a request after this time', timeoutMs, 10_000)
    .option('--seed <n>', 'seed of the arrivals', seed, 1)
    .option(
      '--keep-going',
      'send the whole load at once, even if the server is unreachable, still starts or refuses the first requests',
    )
    .addOption(
      new Option(
        '--tool <name>',
        'sender of the load: Equipoise, or vegeta (on the PATH, or at EQUIPOISE_VEGETA), which spreads the requests of a second evenly',
      )
        .choices(['builtin', 'vegeta'])
        .default('builtin'),
    )
    .option('--max-workers <n>', 'limit of vegeta on requests at once; default: none', count)
    .option('--targets <file>', "send these requests in turn: vegeta's targets, as JSON (.json) or in its format http")
    .option('--save-targets <file>', "write the requests as vegeta's targets; .json: as JSON, else in its format http")
    .option('--save-results <file>', "write a record of each request as vegeta's results; .csv or .json")
    .option(
      '--read-results <file>',
      'send nothing; report results that were saved by --save-results or converted by vegeta encode',
    )
    .addOption(jsonFlag())
    .action((url, options) => runCommand(options, async () => (await import('./load.js')).load(url, options)));
}

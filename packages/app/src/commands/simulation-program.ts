/** `equipoise simulate`, `sweep` and `experiment`: names, flags and help. */
import { type Command, Option } from 'commander';
import { platformNames } from '../experiment/platform.js';
import {
  cores,
  count,
  namespace,
  notNegative,
  positive,
  positiveRate,
  routerCount,
  runCount,
  seed,
} from '../terminal/flag-values.js';
import { runCommand } from '../terminal/run-command.js';
import {
  arrivalsFlag,
  cpuQuotaFlag,
  jsonFlag,
  keysFlag,
  loadFlag,
  partGapFlag,
  policyNames,
  profileScaleFlag,
  serviceFactorFlag,
  sourceFlag,
  unevenFlag,
} from './shared-flags.js';

export function addSimulations(program: Command): void {
  addSimulate(program);
  addSweep(program);
  addExperiment(program);
}

function addSimulate(program: Command): void {
  program
    .command('simulate')
    .argument('<file>', 'pipeline file')
    .description('simulate a plan, or the control loop with a policy, under a load')
    .addOption(new Option('--plan <file>', 'fixed plan, as `equipoise plan --json` prints it').conflicts('policy'))
    .addOption(new Option('--policy <name>', 'run the control loop with this policy').choices(policyNames))
    .option('--arrival-rps <n>', 'rate of the load, in place of --load', positiveRate)
    .option('--duration-s <n>', 'duration of the load, in place of --load', positive)
    .addOption(loadFlag())
    .addOption(arrivalsFlag())
    .addOption(partGapFlag())
    .addOption(sourceFlag())
    .addOption(keysFlag())
    .option('--seed <n>', 'seed of arrivals and service times; the same seed gives the same figures', seed, 1)
    .option(
      '--seeds <n>',
      'number of runs with consecutive seeds; 2 or more give figures with 95 % intervals',
      runCount,
    )
    .addOption(
      new Option(
        '--routers <n>',
        'number of routers behind a balancer, each with its share of the replicas or of the budget; default: that of the plan',
      ).argParser(routerCount),
    )
    .addOption(unevenFlag())
    .option('--slo-ms <m>', 'overrides the latency of the SLO', positive)
    .option('--budget-cores <c>', 'overrides the core budget', cores)
    .addOption(serviceFactorFlag())
    .addOption(cpuQuotaFlag())
    .addOption(profileScaleFlag())
    .addOption(jsonFlag())
    .action((file, options) =>
      runCommand(options, async () => (await import('./simulate.js')).simulate(file, options)),
    );
}

function addSweep(program: Command): void {
  program
    .command('sweep')
    .argument('<file>', 'pipeline file')
    .description(
      'simulate plans or policies along axes (load, start-up time, planning interval, profile error, routers), with intervals over seeds; finished simulations are not repeated',
    )
    .addOption(
      new Option(
        '--plan <files...>',
        'fixed plans, as `equipoise plan --out` writes them; a file may have several, such as a frontier',
      ).conflicts('policy'),
    )
    .addOption(new Option('--policy <names...>', 'run the control loop with these policies').choices(policyNames))
    .option(
      '--axis <name=values>',
      'vary a quantity (repeat for more): arrival-rps, profile-factor, load-ms, interval-ms, routers, slo-ms, budget-cores or service-factor; values V1,V2,… or LOW..HIGH/COUNT',
      (text: string, before: readonly string[] = []) => [...before, text],
    )
    .option('--arrival-rps <n>', 'rate of the load, in place of --load', positiveRate)
    .option('--duration-s <n>', 'duration of the load, in place of --load', positive)
    .addOption(loadFlag())
    .addOption(arrivalsFlag())
    .option('--seed <n>', 'first seed', seed, 1)
    .option('--seeds <n>', 'number of seeds; intervals need at least 2', runCount, 3)
    .option('--exclude-first-s <n>', 'seconds at the start of the load that do not count', notNegative, 0)
    .option('--out <folder>', 'folder of the results; default: .equipoise/sweeps/PIPELINE next to the pipeline file')
    .option('--threads <n>', 'number of simulations to run in parallel; default: one per core', count)
    .addOption(profileScaleFlag())
    .addOption(jsonFlag())
    .action((file, options) => runCommand(options, async () => (await import('./sweep.js')).sweep(file, options)));
}

function addExperiment(program: Command): void {
  program
    .command('experiment')
    .argument('<grid>', 'file with the grid')
    .description(
      'run all combinations of the policies, pipelines, loads and seeds of a grid, and compare the policies; finished combinations (cells) are not repeated',
    )
    .addOption(
      new Option(
        '--on <platforms>',
        'where cells run, separated by commas: simulator, embedded (served on this machine), cluster (served on a Kubernetes cluster); default: simulator. Results are compared with the first one',
      ).argParser(platformNames),
    )
    .option(
      '--policy <file>',
      'also compare the policy in this module (docs/guide/experiments.md); repeatable',
      (text: string, before: readonly string[] = []) => [...before, text],
    )
    .option('--raw <folder>', 'write a CSV file for each cell to this folder, with a line for each request')
    .option('--kubeconfig <file>', 'for cluster: kubeconfig with the access to the cluster; default: that of kubectl')
    .option('--context <name>', 'for cluster: context of the kubeconfig; default: the current context')
    .option(
      '--namespace <name>',
      'for cluster: namespace in which no operator runs; default: the namespace of the context',
      namespace,
    )
    .option('--image <image>', 'for cluster: image with Equipoise and the pipeline folder in /pipeline')
    .option(
      '--router-url <url>',
      'for cluster: address of the router; default: the cluster address of its Service, which nodes and pods reach',
    )
    .option('--out <folder>', 'folder of the results; default: .equipoise/experiments/NAME next to the grid')
    .option('--threads <n>', 'number of cells to simulate in parallel; default: one per core', count)
    .addOption(jsonFlag())
    .action((file, options) =>
      runCommand(options, async () => (await import('./experiment.js')).experiment(file, options)),
    );
}

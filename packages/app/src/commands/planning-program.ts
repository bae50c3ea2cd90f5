/** `equipoise plan` and `recommend`: names, flags and help. */
import { type Command, Option } from 'commander';
import {
  cores,
  count,
  fraction,
  nodeCores,
  positive,
  positiveRate,
  routers,
  weights,
} from '../terminal/flag-values.js';
import { runCommand } from '../terminal/run-command.js';
import { targetFlag } from './k8s/k8s-program.js';
import {
  cpuQuotaFlag,
  jsonFlag,
  keysFlag,
  partGapFlag,
  policyFlag,
  profileScaleFlag,
  serviceFactorFlag,
  sourceFlag,
  unevenFlag,
} from './shared-flags.js';

export function addPlanning(program: Command): void {
  addPlan(program);
  addRecommend(program);
}

function addPlan(program: Command): void {
  program
    .command('plan')
    .argument('<files...>', 'pipeline files; several are planned separately, each within its budget')
    .description('find the best plan for a load, with a certificate of what is proven')
    .requiredOption('--arrival-rps <n>', 'requests per second to plan for', positiveRate)
    .addOption(partGapFlag())
    .addOption(sourceFlag())
    .addOption(keysFlag())
    .addOption(
      new Option('--objective <name>', 'overrides the objective of the file').choices([
        'max-accuracy',
        'min-cost',
        'weights',
        'frontier',
      ]),
    )
    .option('--accuracy-floor <f>', 'minimum accuracy, 0 to 1; implies --objective min-cost', fraction)
    .option('--weights <a,b,d>', 'weights of accuracy, cost and batch; implies --objective weights', weights)
    .option('--slo-ms <m>', 'overrides the latency of the SLO', positive)
    .addOption(targetFlag('plan for this engine of a cluster: its hops take a part of the SLO'))
    .option('--budget-cores <c>', 'overrides the core budget', cores)
    .option(
      '--node-cores <list>',
      'cores of each machine, such as 4,4,8; every replica must fit on one machine',
      nodeCores,
    )
    .option(
      '--accuracy-table <file>',
      'measured accuracies, as `evaluate --json` prints them; overrides accuracyTable of the file',
    )
    .option(
      '--running-plan <file>',
      'running plan, as --out writes it; the new plan then accounts for the cost of starting replicas',
    )
    .addOption(policyFlag('planning policy'))
    .addOption(
      new Option('--estimator <name>', 'estimator of latencies')
        .choices(['distribution', 'sum-of-tails'])
        .default('distribution'),
    )
    .option('--no-verify', 'skip the simulation of the plan')
    .option(
      '--routers <n>',
      'plan for this number of routers, each with an equal share of the replicas, or for as many as the load needs (auto); overrides routers of the file',
      routers,
    )
    .addOption(unevenFlag())
    .addOption(
      new Option(
        '--connections <n>',
        'with several routers: number of long-lived connections that a balancer spreads at random, in place of --uneven',
      )
        .argParser(count)
        .conflicts('uneven'),
    )
    .addOption(serviceFactorFlag())
    .addOption(cpuQuotaFlag())
    .addOption(profileScaleFlag())
    .option('--explain', 'explain the value of more budget and why other variants lost')
    .option('--frontier', 'show all best trade-offs of accuracy and cost, as --objective frontier does')
    .option('--svg <file>', 'draw the frontier to this file')
    .option('--out <file>', 'also write the JSON answer to this file')
    .addOption(jsonFlag())
    .action((files, options) => runCommand(options, async () => (await import('./plan.js')).plan(files, options)));
}

function addRecommend(program: Command): void {
  program
    .command('recommend')
    .argument('<file>', 'pipeline file')
    .description(
      'find the cheapest, most accurate and most robust plan, the highest load and the shortest SLO: each frees one quantity and keeps all other conditions',
    )
    .option('--arrival-rps <n>', 'requests per second; needed unless only the load is free', positiveRate)
    .addOption(
      new Option(
        '--free <quantities...>',
        'free one quantity, or two for their trade-off; default: each of them alone',
      ).choices(['cost', 'accuracy', 'load', 'slo', 'robustness']),
    )
    .option('--accuracy-floor <f>', 'minimum accuracy, 0 to 1', fraction)
    .option('--slo-ms <m>', 'overrides the latency of the SLO', positive)
    .option('--budget-cores <c>', 'overrides the core budget', cores)
    .addOption(serviceFactorFlag())
    .addOption(profileScaleFlag())
    .option('--no-verify', 'skip all simulations; only the estimate decides')
    .option('--out <file>', 'also write the JSON answer to this file')
    .option(
      '--results <folder>',
      'also write CSV, JSON and a page to this folder, and continue from the questions that it has',
    )
    .option('--threads <n>', 'number of questions to answer in parallel; default: one per core', count)
    .addOption(jsonFlag())
    .action((file, options) =>
      runCommand(options, async () => (await import('./recommend.js')).recommend(file, options)),
    );
}

/** `equipoise operator`: name, flags and help. */
import { type Command, InvalidArgumentError, Option } from 'commander';
import { leaseName, namespace, port, shardCount } from '../terminal/flag-values.js';
import { runCommand } from '../terminal/run-command.js';
import { leastCpuCoresFlag } from './k8s/k8s-program.js';
import { prometheusCaFlag, prometheusFlag, prometheusTokenFlag, scrapeIntervalFlag } from './k8s/prometheus-flags.js';

function image(text: string): string {
  if (/^[^\s=]+$/.test(text)) return text;
  throw new InvalidArgumentError(
    'Expected an image; set those of one pipeline, its stages and variants in its annotation equipoise.dev/images.',
  );
}

export function addOperator(program: Command): void {
  program
    .command('operator')
    .description(
      'reconcile the InferencePipelines of a cluster: plan for the load that their routers report, and apply the plans; SIGTERM releases the lease to another operator',
    )
    .option(
      '--namespace <name>',
      'namespace of the reconciled pipelines; default: the namespace of the kubeconfig context',
      namespace,
    )
    .addOption(new Option('--all-namespaces', 'reconcile the pipelines of all namespaces').conflicts('namespace'))
    .option(
      '--kubeconfig <file>',
      'kubeconfig with the access to the cluster; default: that of kubectl, or in a pod the service account',
    )
    .option('--context <name>', 'context of the kubeconfig; default: the current context')
    .option(
      '--image <image>',
      'image with Equipoise for pipelines without the annotation equipoise.dev/images; default: `equipoise` with the tag of this version',
      image,
    )
    .addOption(leastCpuCoresFlag())
    .addOption(
      new Option(
        '--routers-through <way>',
        'how the operator reaches the metrics of routers: at the addresses of their pods, or outside of the pod network through the API server, which needs the right to get pods/proxy',
      )
        .choices(['pods', 'api-server'])
        .default('pods'),
    )
    .option(
      '--watch-nodes',
      'name bad conditions of nodes that carry pods of a pipeline, such as MemoryPressure, in its status; needs the right to list and watch nodes',
    )
    .addOption(
      prometheusFlag(
        'address of Prometheus, for pipelines whose graph an engine walks (annotation equipoise.dev/target NAME:theirs)',
      ),
    )
    .addOption(prometheusTokenFlag())
    .addOption(prometheusCaFlag())
    .addOption(scrapeIntervalFlag())
    .option(
      '--lease-name <name>',
      'lease by which several operators elect the active operator',
      leaseName,
      'equipoise-operator',
    )
    .option(
      '--lease-namespace <name>',
      'namespace of the lease; default: the namespace of the kubeconfig context or pod',
      namespace,
    )
    .option(
      '--shards <n>',
      'divide the pipelines into this many shards; each has a lease, and the operators lead about as many each',
      shardCount,
      1,
    )
    .addOption(
      new Option('--shard-by <key>', 'what the shard of a pipeline follows from')
        .choices(['pipeline', 'namespace'])
        .default('pipeline'),
    )
    .option('--no-leader-election', 'act without a lease; no other operator may run then')
    .option(
      '--once',
      'reconcile as far as possible, report and exit; exit code 1 if another operator is active, or if a pipeline is not accepted, not planned or degraded',
    )
    .addOption(new Option('--json', 'with --once: print one JSON document on stdout; the log goes to stderr'))
    .option('--host <address>', 'address of /livez, /readyz and /metrics', '127.0.0.1')
    .option('--port <n>', 'port of /livez, /readyz and /metrics; 0 for any free port', port, 8082)
    .option('--admin-port <n>', 'port of the page and the admin API; 0 for any free port; default: 8081', port)
    .option('--no-admin-port', 'no page and no admin API')
    .option(
      '--admin-host <address>',
      'address of the page and the admin API; an address that other machines can reach requires --admin-token-file',
      '127.0.0.1',
    )
    .option('--admin-token-file <file>', 'require the bearer token in this file from clients of the admin API')
    .action((options) =>
      runCommand(options, async () => {
        if (options.shards > 1) await checkShards(options);
        if (options.once) return (await import('./operator-once.js')).operatorOnce(options);
        if (options.json) throw await jsonWithoutOnce();
        return (await import('./operator.js')).operator(options);
      }),
    );
}

/** Throws WRONG_USAGE for flags that do not go with shards. */
async function checkShards({ once, leaderElection }: { once?: boolean; leaderElection: boolean }): Promise<void> {
  if (once !== true && leaderElection) return;
  const { AppError } = await import('@equipoise/core/model');
  const [flag, why] =
    once === true ? ['--once', 'one run does all pipelines'] : ['--no-leader-election', 'each shard needs its lease'];
  throw new AppError('WRONG_USAGE', `--shards and ${flag} exclude each other: ${why}. Leave one of them out.`);
}

/** Rejects `--json` without `--once`: a server prints no document. */
async function jsonWithoutOnce(): Promise<Error> {
  const { AppError } = await import('@equipoise/core/model');
  return new AppError('WRONG_USAGE', '--json needs --once: a permanent operator logs to stderr.');
}

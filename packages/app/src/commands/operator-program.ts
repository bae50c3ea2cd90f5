/** `equipoise operator`: name, flags and help. */
import { type Command, InvalidArgumentError, Option } from 'commander';
import { namespace, port } from '../terminal/flag-values.js';
import { runCommand } from '../terminal/run-command.js';

function image(text: string): string {
  if (/^[^\s=]+$/.test(text)) return text;
  throw new InvalidArgumentError(
    'Expected an image; those of one pipeline, its stages and variants stand in its annotation equipoise.dev/images.',
  );
}

function leaseName(text: string): string {
  if (/^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$/.test(text)) return text;
  throw new InvalidArgumentError('Expected a name of a-z, 0-9, - and ., a letter or digit at both ends.');
}

export function addOperator(program: Command): void {
  program
    .command('operator')
    .description(
      'look after the InferencePipelines of a cluster: plan them for the load that their routers show, and bring the plans there; SIGTERM gives the lease to another operator',
    )
    .option(
      '--namespace <name>',
      'namespace whose pipelines are looked after; that of the context when left out',
      namespace,
    )
    .addOption(new Option('--all-namespaces', 'look after the pipelines of all namespaces').conflicts('namespace'))
    .option('--kubeconfig <file>', 'how to reach the cluster; as kubectl does when left out, in a pod by its account')
    .option('--context <name>', 'context of the kubeconfig; its current one when left out')
    .option(
      '--image <image>',
      'image with Equipoise for pipelines that name none in their annotation equipoise.dev/images; `equipoise` with the tag of this version when left out',
      image,
    )
    .option(
      '--lease-name <name>',
      'lease by which several operators agree on the one that acts',
      leaseName,
      'equipoise-operator',
    )
    .option(
      '--lease-namespace <name>',
      'namespace of the lease; that of the context, or of the pod, when left out',
      namespace,
    )
    .option('--no-leader-election', 'act without a lease; nobody else may then')
    .option(
      '--once',
      'bring the pipelines as far as it can now, tell what was done, and end; exit code 1 where another operator leads, or a pipeline is not accepted, not planned or degraded',
    )
    .addOption(new Option('--json', 'with --once: print one JSON document on stdout; the log goes to stderr'))
    .option('--host <address>', 'address of /livez, /readyz and /metrics', '127.0.0.1')
    .option('--port <n>', 'port of /livez, /readyz and /metrics, 0 for any free one', port, 8082)
    .action((options) =>
      runCommand(options, async () => {
        if (options.once) return (await import('./operator-once.js')).operatorOnce(options);
        if (options.json) throw await jsonWithoutOnce();
        return (await import('./operator.js')).operator(options);
      }),
    );
}

/** A server prints no document. */
async function jsonWithoutOnce(): Promise<Error> {
  const { AppError } = await import('@equipoise/core/model');
  return new AppError('WRONG_USAGE', '--json goes with --once: an operator that stays writes its log to stderr.');
}

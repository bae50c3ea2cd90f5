/** `equipoise k8s`: names, flags and help. */
import type { RenderTarget } from '@equipoise/adapter-kubernetes';
import { type Command, Option } from 'commander';
import { count, cpuFloor, images, leaseName, namespace, positiveRate } from '../../terminal/flag-values.js';
import { runCommand } from '../../terminal/run-command.js';
import { jsonFlag, profileScaleFlag } from '../shared-flags.js';
import {
  prometheusCaFlag,
  prometheusFlag,
  prometheusTokenFlag,
  scrapeIntervalFlag,
  sources,
} from './prometheus-flags.js';

/** Target engines, the default first. */
const targets = [
  'deployment',
  'seldon-v2',
  'seldon-v1',
  'kserve',
  'seldon-v2:theirs',
  'seldon-v1:theirs',
  'kserve:theirs',
] as const satisfies readonly RenderTarget[];

export const targetFlag = (description: string): Option =>
  new Option('--target <name>', `${description}; with \`:theirs\` the engine walks the graph`).choices(targets);

export function addKubernetes(program: Command): void {
  const k8s = program.command('k8s').description('bring a pipeline to a Kubernetes cluster');
  withPlanFlags(k8s.command('render'))
    .description('plan for a load and print the objects that run the plan on a cluster, as YAML for kubectl')
    .action((file, options) =>
      runCommand(options, async () => (await import('./k8s-render.js')).k8sRender(file, options)),
    );

  withClusterFlags(withPlanFlags(k8s.command('diff')))
    .description('plan for a load and compare the plan with a cluster; exit code 1 if they differ')
    .action((file, options) =>
      runCommand(options, async () => (await import('./k8s-status.js')).k8sDiff(file, options)),
    );

  withClusterFlags(withPlanFlags(k8s.command('apply')))
    .description('plan for a load and make a cluster run the plan')
    .option('--prune', 'once the plan runs, remove objects that the pipeline no longer has')
    .option('--wait-s <n>', 'maximum time that --prune waits for the plan to run, in seconds', count, 600)
    .option('--force', 'take over fields of foreign writers, such as the number of replicas set by an autoscaler')
    .action((file, options) =>
      runCommand(options, async () => (await import('./k8s-apply.js')).k8sApply(file, options)),
    );

  k8s
    .command('pipeline')
    .argument('<file>', 'pipeline file')
    .description('print a pipeline with its measured profiles, as the object that `equipoise operator` reconciles')
    .option(
      '--namespace <name>',
      'namespace of the object; default: the namespace of the kubeconfig context',
      namespace,
    )
    .option('--arrival-rps <n>', 'requests per second to plan for until a router reports the load', positiveRate)
    .addOption(imageFlag())
    .addOption(profileScaleFlag())
    .addOption(jsonFlag())
    .action((file, options) =>
      runCommand(options, async () => (await import('./k8s-render.js')).k8sPipeline(file, options)),
    );

  withClusterFlags(k8s.command('status').argument('<pipeline>', 'name of the pipeline'))
    .description('show the workloads of a pipeline and the operator that leads it; exit code 1 until all of them run')
    .option(
      '--namespace <name>',
      'namespace of the pipeline; default: the namespace of the kubeconfig context',
      namespace,
    )
    .option('--lease-name <name>', 'lease of the operators', leaseName, 'equipoise-operator')
    .option(
      '--lease-namespace <name>',
      'namespace of the lease of the operators; default: the namespace of the pipeline, then `equipoise`',
      namespace,
    )
    .addOption(jsonFlag())
    .action((name, options) =>
      runCommand(options, async () => (await import('./k8s-status.js')).k8sStatus(name, options)),
    );
  addDoctor(k8s);
}

function addDoctor(k8s: Command): void {
  withClusterFlags(k8s.command('doctor').argument('<pipeline>', 'name of the pipeline'))
    .description(
      'find out why Prometheus lacks figures of a pipeline: scrapes, permissions, labels, clocks, series; exit code 1 if something is wrong',
    )
    .addOption(prometheusFlag('address of Prometheus').makeOptionMandatory())
    .addOption(prometheusTokenFlag())
    .addOption(prometheusCaFlag())
    .addOption(scrapeIntervalFlag())
    .option(
      '--sources <names>',
      'programs whose series are examined, separated by commas: equipoise, seldon-v1, seldon-v2, kserve, mlserver, istio, cadvisor; default: those that the pods show',
      sources,
    )
    .option(
      '--namespace <name>',
      'namespace of the pipeline; default: the namespace of the kubeconfig context',
      namespace,
    )
    .addOption(jsonFlag())
    .action((name, options) =>
      runCommand(options, async () => (await import('./k8s-doctor.js')).k8sDoctor(name, options)),
    );
}

const imageFlag = () =>
  new Option(
    '--image <image>',
    'image with Equipoise and the pipeline folder in /pipeline; default: `equipoise` with the tag of this version (in `k8s pipeline`: the --image of the operator); STAGE=IMAGE sets the image of one stage, STAGE/VARIANT=IMAGE that of one variant; repeatable',
  ).argParser(images);

export const leastCpuCoresFlag = () =>
  new Option(
    '--least-cpu-cores <n>',
    'least cores of a pod that runs Equipoise, when planning; pinned cores stay; 0: no floor',
  )
    .argParser(cpuFloor)
    .default(0.25);

function withPlanFlags(command: Command): Command {
  return command
    .argument('<file>', 'pipeline file')
    .addOption(
      targetFlag('engine of the replicas: plain Deployments, Seldon Core 2 or 1, KServe (0.16 or later)').default(
        targets[0],
      ),
    )
    .option('--arrival-rps <n>', 'requests per second to plan for, without --plan; default: 1', positiveRate)
    .option('--plan <file>', 'use this plan, as `equipoise plan --out` writes it, instead of planning')
    .option(
      '--namespace <name>',
      'namespace of the objects; default: the namespace of the kubeconfig context',
      namespace,
    )
    .addOption(imageFlag())
    .option('--artifacts <uri>', 'location of the artifacts for engines that fetch them, such as s3://bucket/folder')
    .addOption(profileScaleFlag())
    .addOption(leastCpuCoresFlag())
    .option('--no-cpu-limits', 'give stage pods CPU requests without limits, so that they may use idle cores')
    .addOption(jsonFlag());
}

function withClusterFlags(command: Command): Command {
  return command
    .option('--kubeconfig <file>', 'kubeconfig with the access to the cluster; default: that of kubectl')
    .option('--context <name>', 'context of the kubeconfig; default: the current context');
}

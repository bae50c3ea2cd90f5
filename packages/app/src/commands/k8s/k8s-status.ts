import {
  type DeploymentDiff,
  deployedObjects,
  deployedPods,
  deploymentDiff,
  type FieldDifference,
  labelValue,
  leaderOf,
  type PipelineLeader,
  pipelineConditions,
  type WorkloadState,
  workloadStates,
} from '@equipoise/adapter-kubernetes';
import { AppError } from '@equipoise/core/model';
import pc from 'picocolors';
import { type ClusterOptions, withCluster } from '../../compose/cluster.js';
import type { CommandResult } from '../../terminal/run-command.js';
import { textTable } from '../../terminal/text-table.js';
import { type K8sRenderOptions, renderedFile } from './k8s-render.js';

interface K8sDiffOptions extends K8sRenderOptions, ClusterOptions {}

/** `equipoise k8s diff`: compares a plan with a cluster. Exits with 1 if they differ. */
export function k8sDiff(file: string, options: K8sDiffOptions): Promise<CommandResult> {
  return withCluster(options, async ({ api, namespace }) => {
    const { pipeline, objects } = await renderedFile(file, { ...options, namespace });
    const diff = deploymentDiff(objects, await deployedObjects(api, pipeline, namespace));
    const differs = diff.missing.length + diff.changed.length + diff.leftOver.length > 0;
    return { json: { namespace, ...diff }, text: diffText(diff, namespace), answerIsNo: differs };
  });
}

function diffText({ missing, changed, same, leftOver }: DeploymentDiff, namespace: string): string {
  const lines = [
    ...missing.map(({ kind, name }) => pc.green(`+ ${kind} ${name}`)),
    ...changed.flatMap(({ kind, name, differences }) => [
      pc.yellow(`~ ${kind} ${name}`),
      ...differences.map((difference) => `    ${differenceText(difference)}`),
    ]),
    ...leftOver.map(({ kind, name }) => pc.red(`- ${kind} ${name}`)),
  ];
  const summary = `namespace ${namespace}: ${same.length} as wanted, ${missing.length} missing, ${changed.length} different, ${leftOver.length} left over`;
  return [...lines, summary].join('\n');
}

const MOST_SHOWN = 80;

function differenceText({ path, live, wanted }: FieldDifference): string {
  return `${path}: ${shown(live)} → ${shown(wanted)}`;
}

function shown(value: unknown): string {
  const text = value === undefined ? 'nothing' : JSON.stringify(value);
  return text.length <= MOST_SHOWN ? text : `${text.slice(0, MOST_SHOWN)}…`;
}

interface K8sStatusOptions extends ClusterOptions {
  readonly leaseName: string;
  readonly leaseNamespace?: string;
}

/** Namespace of the shipped operators. */
const OPERATOR_NAMESPACE = 'equipoise';

/** `equipoise k8s status`: workloads and conditions of a pipeline, and its leader. Exits with 1 unless all workloads run. */
export function k8sStatus(pipeline: string, options: K8sStatusOptions): Promise<CommandResult> {
  return withCluster(options, async ({ api, namespace }) => {
    const pods = await deployedPods(api, pipeline, namespace);
    const workloads = workloadStates(await deployedObjects(api, pipeline, namespace), pods);
    const conditions = await pipelineConditions(api, pipeline, namespace);
    if (workloads.length === 0 && conditions === undefined) {
      throw new AppError('NOT_FOUND', `The namespace ${namespace} has no objects of a pipeline ${pipeline}.`, {
        details: { pipeline, namespace },
      });
    }
    const { leaseName: name, leaseNamespace } = options;
    const namespaces = leaseNamespace === undefined ? [namespace, OPERATOR_NAMESPACE] : [leaseNamespace];
    // Only an InferencePipeline has an operator.
    const leader =
      conditions &&
      (await leaderOf(api, {
        ...{ key: `${namespace}/${labelValue(pipeline)}`, lease: { name, namespaces }, nowEpochMs: Date.now() },
      }));
    const lines = (conditions ?? []).map(
      ({ type, status, reason, message }) => `${type} ${status}: ${reason}${message === '' ? '' : `, ${message}`}`,
    );
    return {
      json: { pipeline, namespace, workloads, ...(conditions && { conditions }), ...(leader && { leader }) },
      text: [
        ...(workloads.length === 0 ? [] : [workloadTable(workloads)]),
        ...lines,
        ...(leader === undefined ? [] : [leaderText(leader)]),
      ].join('\n'),
      answerIsNo: workloads.length === 0 || workloads.some(({ complete }) => !complete),
    };
  });
}

function leaderText({ lease, namespace, shard, shards, holder, ageS, isExpired }: PipelineLeader): string {
  const of = `${shard === undefined ? '' : `shard ${shard} of ${shards}, `}lease ${namespace}/${lease}`;
  const renewed = ageS === undefined ? '' : `, renewed ${ageS} s ago`;
  if (holder === undefined) return pc.yellow(`led by no operator (${of}${renewed})`);
  if (isExpired) return pc.yellow(`led by no operator: ${holder} no longer renews its lease (${of}${renewed})`);
  return `led by ${holder} (${of}${renewed})`;
}

function workloadTable(workloads: readonly WorkloadState[]): string {
  const rows = workloads.map(({ stage = 'router', variant = '', kind, name, ready, wanted, complete, stuck }) => [
    stage,
    variant,
    `${kind} ${name}`,
    `${ready}/${wanted}`,
    complete ? pc.green('runs') : pc.yellow(stuck ?? 'on its way'),
  ]);
  return textTable(['stage', 'variant', 'workload', { right: 'ready' }, 'state'], rows);
}

import {
  type DeploymentDiff,
  deployedObjects,
  deploymentDiff,
  type FieldDifference,
} from '@equipoise/adapter-kubernetes';
import pc from 'picocolors';
import { type ClusterOptions, withCluster } from '../compose/cluster.js';
import type { CommandResult } from '../terminal/run-command.js';
import { type K8sRenderOptions, renderedFile } from './k8s-render.js';

export interface K8sDiffOptions extends K8sRenderOptions, ClusterOptions {}

/** `equipoise k8s diff`: compares a plan with a cluster and changes nothing. Answers no if they differ. */
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

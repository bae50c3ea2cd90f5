/** `equipoise k8s apply`: makes a cluster run a plan. Deletes leftovers only on request, once the new plan runs. */

import { setTimeout as sleep } from 'node:timers/promises';
import {
  applyObjects,
  deployedObjects,
  deploymentDiff,
  type ObjectName,
  removeObjects,
  type WorkloadState,
  workloadStates,
} from '@equipoise/adapter-kubernetes';
import { AppError } from '@equipoise/core/model';
import pc from 'picocolors';
import { type Cluster, type ClusterOptions, withCluster } from '../../compose/cluster.js';
import { progressDisplay } from '../../terminal/progress.js';
import type { CommandResult } from '../../terminal/run-command.js';
import { type K8sRenderOptions, renderedFile } from './k8s-render.js';

interface K8sApplyOptions extends K8sRenderOptions, ClusterOptions {
  readonly force?: boolean;
  readonly prune?: boolean;
  readonly waitS: number;
}

const ASK_AGAIN_MS = 1000;

export function k8sApply(file: string, options: K8sApplyOptions): Promise<CommandResult> {
  return withCluster(options, async (cluster) => {
    const { api, namespace } = cluster;
    const { pipeline, objects } = await renderedFile(file, { ...options, namespace });
    const diff = deploymentDiff(objects, await deployedObjects(api, pipeline, namespace));
    await applyObjects(api, objects, { pipeline, force: options.force === true });
    const { missing, changed, same, leftOver } = diff;
    const done = { namespace, created: missing, changed: changed.map(nameOf), same };
    if (options.prune !== true || leftOver.length === 0) {
      return { json: { ...done, removed: [], leftOver }, text: appliedText({ ...done, removed: [], leftOver }) };
    }
    const wanted = new Set(objects.map(({ kind, metadata }) => `${kind} ${metadata.name}`));
    await untilRunning(cluster, pipeline, { wanted, waitMs: options.waitS * 1000 });
    await removeObjects(api, leftOver, namespace);
    const result = { ...done, removed: leftOver, leftOver: [] };
    return { json: result, text: appliedText(result) };
  });
}

const nameOf = ({ kind, name }: ObjectName): ObjectName => ({ kind, name });

/** Rejects with DEADLINE_PASSED. */
async function untilRunning(
  { api, namespace }: Cluster,
  pipeline: string,
  { wanted, waitMs }: { readonly wanted: ReadonlySet<string>; readonly waitMs: number },
): Promise<void> {
  const untilMs = performance.now() + waitMs;
  const display = progressDisplay('rollout');
  try {
    for (;;) {
      const states = workloadStates(await deployedObjects(api, pipeline, namespace));
      const open = states.filter(({ kind, name, complete }) => wanted.has(`${kind} ${name}`) && !complete);
      if (open.length === 0) return;
      if (performance.now() > untilMs) throw notInTime(open, waitMs);
      const leftMs = untilMs - performance.now();
      const doneUnits = wanted.size - open.length;
      display.show({
        doneUnits,
        totalUnits: wanted.size,
        etaMs: leftMs,
        label: open.map(({ name }) => name).join(', '),
      });
      await sleep(Math.min(ASK_AGAIN_MS, leftMs));
    }
  } finally {
    display.stop();
  }
}

function notInTime(open: readonly WorkloadState[], waitMs: number): AppError {
  const each = open.map(({ name, ready, wanted, stuck }) => {
    return `${name} has ${ready} of ${wanted} replicas ready${stuck === undefined ? '' : ` (${stuck})`}`;
  });
  const message = `The plan was applied, but does not run after ${waitMs / 1000} s: ${each.join(', ')}. Nothing was removed.`;
  return new AppError('DEADLINE_PASSED', message, { details: { workloads: open } });
}

interface Applied {
  readonly namespace: string;
  readonly created: readonly ObjectName[];
  readonly changed: readonly ObjectName[];
  readonly same: readonly ObjectName[];
  readonly removed: readonly ObjectName[];
  readonly leftOver: readonly ObjectName[];
}

function appliedText({ namespace, created, changed, same, removed, leftOver }: Applied): string {
  const line = (sign: string) => (object: ObjectName) => `${sign} ${object.kind} ${object.name}`;
  return [
    ...created.map(line(pc.green('created'))),
    ...changed.map(line(pc.yellow('changed'))),
    ...removed.map(line(pc.red('removed'))),
    ...leftOver.map(line('left over')),
    `namespace ${namespace}: ${created.length} created, ${changed.length} changed, ${same.length} as they were, ${removed.length} removed`,
    ...(leftOver.length === 0 ? [] : [pc.dim('Objects left over are removed with --prune when the plan runs.')]),
  ].join('\n');
}

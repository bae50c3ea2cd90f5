import { deployedObjects, pipelineConditions, type WorkloadState, workloadStates } from '@equipoise/adapter-kubernetes';
import { AppError } from '@equipoise/core/model';
import pc from 'picocolors';
import { type ClusterOptions, withCluster } from '../compose/cluster.js';
import type { CommandResult } from '../terminal/run-command.js';
import { textTable } from '../terminal/text-table.js';

/** `equipoise k8s status`: shows workloads and conditions of a pipeline. Answers no until all workloads run. */
export function k8sStatus(pipeline: string, options: ClusterOptions): Promise<CommandResult> {
  return withCluster(options, async ({ api, namespace }) => {
    const workloads = workloadStates(await deployedObjects(api, pipeline, namespace));
    const conditions = await pipelineConditions(api, pipeline, namespace);
    if (workloads.length === 0 && conditions === undefined) {
      throw new AppError('NOT_FOUND', `The namespace ${namespace} has nothing of a pipeline ${pipeline}.`, {
        details: { pipeline, namespace },
      });
    }
    const lines = (conditions ?? []).map(
      ({ type, status, reason, message }) => `${type} ${status}: ${reason}${message === '' ? '' : `, ${message}`}`,
    );
    return {
      json: { pipeline, namespace, workloads, ...(conditions && { conditions }) },
      text: [...(workloads.length === 0 ? [] : [workloadTable(workloads)]), ...lines].join('\n'),
      answerIsNo: workloads.length === 0 || workloads.some(({ complete }) => !complete),
    };
  });
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

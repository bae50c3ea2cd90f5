import { AppError } from '@equipoise/core/model';
import type { KubeApi } from '../api/kube-api.js';
import type { KubeObject } from '../api/kube-object.js';
import { LABEL_PREFIX } from '../cluster/object-names.js';
import { hasEnded, type ObservedDeployment, type ObservedPod, pipelines } from '../cluster/observed-objects.js';
import { podIssues, podRefusal, type RolloutState, rolloutState } from '../cluster/rollout-state.js';
import type { PipelineCondition } from '../crd/status-schema.js';
import { type EngineObjectState, engineObjectState } from '../render/engines/engine-state.js';

/** Conditions of a pipeline; undefined if the cluster has none for it, or without the right to read it. */
export async function pipelineConditions(
  api: KubeApi,
  pipeline: string,
  namespace: string,
): Promise<readonly PipelineCondition[] | undefined> {
  try {
    return (await api.get({ type: pipelines, namespace, name: pipeline }))?.status?.conditions;
  } catch (error) {
    if (error instanceof AppError && error.details['httpStatus'] === 403) return undefined;
    throw error;
  }
}

/** State of a workload; the router has neither `stage` nor `variant`. */
export interface WorkloadState {
  readonly kind: string;
  readonly name: string;
  readonly stage?: string | undefined;
  readonly variant?: string | undefined;
  readonly wanted: number;
  readonly ready: number;
  /** All wanted pods of the current template are ready, and no others exist. */
  readonly complete: boolean;
  readonly stuck?: string | undefined;
}

/**
 * States of workloads, the router last. Workloads of other engines are judged by condition Ready or by state. Issues of
 * `pods`, such as no node with room, and refused pods say why a workload is not complete.
 */
export function workloadStates(
  objects: readonly KubeObject[],
  pods: readonly ObservedPod[] = [],
): readonly WorkloadState[] {
  return objects
    .flatMap((object) => {
      if (object.kind === 'Deployment') return [ofDeployment(object as ObservedDeployment, pods)];
      const state = engineObjectState(object);
      return state === undefined ? [] : [ofEngine(object, state)];
    })
    .toSorted((a, b) => Number(a.stage === undefined) - Number(b.stage === undefined) || (a.name < b.name ? -1 : 1));
}

function partOf({ kind, metadata }: KubeObject): Pick<WorkloadState, 'kind' | 'name' | 'stage' | 'variant'> {
  const { labels = {}, name } = metadata;
  const [stage, variant] = ['stage', 'variant'].map((part) => labels[`${LABEL_PREFIX}/${part}`]);
  return { kind, name, stage, variant };
}

function ofDeployment(deployment: ObservedDeployment, pods: readonly ObservedPod[]): WorkloadState {
  const state = rolloutState(deployment);
  const own = pods.filter(
    (pod) => !hasEnded(pod) && PARTS.every((part) => labelOf(pod, part) === labelOf(deployment, part)),
  );
  const [issue] = state.kind === 'complete' ? [] : podIssues(own);
  return {
    ...partOf(deployment),
    wanted: deployment.spec.replicas ?? 1,
    ready: deployment.status?.readyReplicas ?? 0,
    complete: state.kind === 'complete',
    stuck: issue === undefined ? stuckText(deployment, state) : `${issue.reason}: ${issue.message}`,
  };
}

function stuckText(deployment: ObservedDeployment, state: RolloutState): string | undefined {
  if (state.kind === 'complete') return undefined;
  return podRefusal(deployment) ?? (state.kind === 'stuck' ? state.message : undefined);
}

const PARTS = ['part', 'stage', 'variant'];

const labelOf = ({ metadata }: KubeObject, part: string): string | undefined =>
  metadata.labels?.[`${LABEL_PREFIX}/${part}`];

function ofEngine(object: KubeObject, { kind, wanted, ready, message }: EngineObjectState): WorkloadState {
  return { ...partOf(object), wanted, ready, complete: kind === 'ready', stuck: message };
}

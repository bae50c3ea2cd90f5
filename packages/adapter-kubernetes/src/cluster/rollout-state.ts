import { objectKey } from '../api/kube-object.js';
import type { ObservedContainer, ObservedDeployment, ObservedPod } from './observed-objects.js';

/** State of a rollout. `complete`: all wanted pods of the current template are ready, and no others exist. */
export type RolloutState =
  | { readonly kind: 'complete' }
  /** `leaving`: pods of older templates, and pods that are too many. */
  | { readonly kind: 'progressing'; readonly ready: number; readonly wanted: number; readonly leaving: number }
  | { readonly kind: 'stuck'; readonly message: string };

export function rolloutState({ metadata, spec, status = {} }: ObservedDeployment): RolloutState {
  const wanted = spec.replicas ?? 1;
  const { replicas = 0, updatedReplicas = 0, readyReplicas = 0 } = status;
  const isTold = (status.observedGeneration ?? 0) >= (metadata.generation ?? 0);
  if (isTold && updatedReplicas === wanted && replicas === wanted && readyReplicas === wanted)
    return { kind: 'complete' };
  if (spec.paused === true)
    return { kind: 'stuck', message: `it is paused: kubectl rollout resume deployment ${metadata.name}` };
  const failed = status.conditions?.find(({ type, status: holds }) => type === 'Progressing' && holds === 'False');
  if (isTold && failed !== undefined) return { kind: 'stuck', message: failed.message ?? 'it makes no progress' };
  const ready = Math.min(readyReplicas, updatedReplicas);
  return { kind: 'progressing', ready, wanted, leaving: Math.max(0, replicas - Math.min(wanted, updatedReplicas)) };
}

/**
 * Message of the server that refuses pods of a Deployment, such as that of a quota, a LimitRange or pod security;
 * undefined if it accepts them. Without it, such a rollout is stuck only when its deadline has passed.
 */
export function podRefusal({ status = {} }: ObservedDeployment): string | undefined {
  const failure = status.conditions?.find(({ type, status: holds }) => type === 'ReplicaFailure' && holds === 'True');
  return failure && (failure.message ?? failure.reason ?? 'the server refuses its pods');
}

export interface PodIssue {
  readonly reason:
    | 'ImageUnavailable'
    | 'OutOfMemory'
    | 'CrashLoop'
    | 'ConfigurationMissing'
    | 'ContainerFailed'
    | 'Unschedulable'
    | 'Evicted'
    | 'NodeRefused';
  readonly message: string;
  /** Time of an event that is over; a state that lasts has none. */
  readonly atEpochMs?: number;
}

const REASONS: Readonly<Record<string, PodIssue['reason']>> = {
  ErrImagePull: 'ImageUnavailable',
  ErrImageNeverPull: 'ImageUnavailable',
  ImagePullBackOff: 'ImageUnavailable',
  ImageInspectError: 'ImageUnavailable',
  InvalidImageName: 'ImageUnavailable',
  CrashLoopBackOff: 'CrashLoop',
  CreateContainerConfigError: 'ConfigurationMissing',
  CreateContainerError: 'ContainerFailed',
  RunContainerError: 'ContainerFailed',
};

/** Issues of pods, the first or latest of each reason. Of the OOM kills, only those after `killedAfterEpochMs` count. */
export function podIssues(
  pods: readonly ObservedPod[],
  killedAfterEpochMs = Number.NEGATIVE_INFINITY,
): readonly PodIssue[] {
  return latestOfEach(pods.flatMap((pod) => issueOf(pod, killedAfterEpochMs) ?? []));
}

function latestOfEach(issues: readonly PodIssue[]): readonly PodIssue[] {
  const found = new Map<string, PodIssue>();
  for (const issue of issues) {
    const known = found.get(issue.reason);
    if (known === undefined || (issue.atEpochMs ?? 0) > (known.atEpochMs ?? 0)) found.set(issue.reason, issue);
  }
  return [...found.values()];
}

/** Reasons of a node that refuses a placed pod. Its ReplicaSet makes another one, which may end the same way. */
const NODE_REFUSES = /^(OutOf.*|UnexpectedAdmissionError|TopologyAffinityError|NodeAffinity)$/;

/** Issues of pods that a node ended after `afterEpochMs`: evicted for its pressure, or refused. The latest of each reason. */
export function nodeIssues(ended: readonly ObservedPod[], afterEpochMs: number): readonly PodIssue[] {
  const issues = ended.flatMap((pod): readonly PodIssue[] => {
    const { cause, message } = endOf(pod);
    const reason = cause === 'Evicted' ? cause : NODE_REFUSES.test(cause) ? 'NodeRefused' : undefined;
    const atEpochMs = endedAtEpochMs(pod);
    if (reason === undefined || atEpochMs <= afterEpochMs) return [];
    return [{ reason, message: `${objectKey(pod.metadata)}: ${cause}: ${message}`, atEpochMs }];
  });
  return latestOfEach(issues);
}

/** A container that ends with code 0 in an eviction leaves the pod as succeeded, with a condition instead of a reason. */
function endOf({ status = {} }: ObservedPod): { readonly cause: string; readonly message: string } {
  const target = status.conditions?.find(({ type }) => type === 'DisruptionTarget');
  const { reason: cause = '', message = '' } = status;
  if (cause !== '' || target?.reason !== 'TerminationByKubelet') return { cause, message };
  return { cause: 'Evicted', message: target.message ?? '' };
}

/** Causes of the cluster to take pods away that still run: an eviction, a preemption or a taint. */
export function disruptions(pods: readonly ObservedPod[]): readonly string[] {
  return pods.flatMap(({ metadata, status }) => {
    const target = status?.conditions?.find(({ type }) => type === 'DisruptionTarget');
    if (target?.status !== 'True') return [];
    return [[objectKey(metadata), target.reason, target.message].filter(Boolean).join(': ')];
  });
}

/** Time of the last change of a pod, which for an ended pod is its end. */
function endedAtEpochMs({ metadata, status }: ObservedPod): number {
  const changes = (status?.conditions ?? []).map(({ lastTransitionTime }) => lastTransitionTime);
  const times = [metadata.creationTimestamp, ...changes].map((time) => Date.parse(time ?? ''));
  return Math.max(...times.filter((epochMs) => !Number.isNaN(epochMs)));
}

function issueOf(pod: ObservedPod, killedAfterEpochMs: number): PodIssue | undefined {
  const { containerStatuses = [], initContainerStatuses = [] } = pod.status ?? {};
  for (const container of [...initContainerStatuses, ...containerStatuses]) {
    const issue = memoryIssue(pod, container, killedAfterEpochMs) ?? containerIssue(pod, container);
    if (issue !== undefined) return issue;
  }
  const message = unplacedBecause(pod);
  return message === undefined
    ? undefined
    : { reason: 'Unschedulable', message: `${objectKey(pod.metadata)}: ${message}` };
}

/** Message of the scheduler that found no node; undefined if it found one, or has not looked yet. */
function unplacedBecause({ status }: ObservedPod): string | undefined {
  const placed = status?.conditions?.find(({ type }) => type === 'PodScheduled');
  if (placed?.status !== 'False' || placed.reason !== 'Unschedulable') return undefined;
  return placed.message ?? 'no node has room';
}

/**
 * True if a pod waits for a node with enough free resources, of which a place for a pod is one. Other reasons, such as a
 * taint, do not count.
 */
export const lacksNode = (pod: ObservedPod): boolean =>
  /\bInsufficient |\bToo many pods\b/.test(unplacedBecause(pod) ?? '');

function memoryIssue(
  { metadata }: ObservedPod,
  { name, lastState, restartCount = 0 }: ObservedContainer,
  killedAfterEpochMs: number,
): PodIssue | undefined {
  const { reason, finishedAt = '' } = lastState?.terminated ?? {};
  const atEpochMs = Date.parse(finishedAt);
  if (reason !== 'OOMKilled' || atEpochMs <= killedAfterEpochMs) return undefined;
  return {
    ...{ reason: 'OutOfMemory', atEpochMs },
    message: `${objectKey(metadata)}, container ${name}: killed at its memory limit at ${finishedAt} (restarts: ${restartCount}). Set a larger memoryBytes.`,
  };
}

function containerIssue({ metadata }: ObservedPod, { name, state }: ObservedContainer): PodIssue | undefined {
  const { reason = '', message = reason } = state?.waiting ?? {};
  const known = REASONS[reason];
  return known && { reason: known, message: `${objectKey(metadata)}, container ${name}: ${message}` };
}

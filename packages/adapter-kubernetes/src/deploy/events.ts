/** Events for `kubectl describe`. The name of an event depends only on the change, so each change is reported once. */
import type { KubeObject, ResourceType } from '../api/kube-object.js';
import { digestOf } from '../cluster/object-names.js';
import type { InferencePipeline } from '../cluster/observed-objects.js';
import type { PipelineCondition } from '../crd/status-schema.js';
import type { NodeCondition } from '../observe/node-watch.js';
import type { ChildRefusal } from '../reconcile/reconciliation.js';

export interface PipelineEvent extends KubeObject {
  readonly eventTime: string;
  readonly type: 'Normal' | 'Warning';
  readonly reason: string;
  readonly action: string;
  readonly note: string;
  readonly reportingController: string;
  readonly reportingInstance: string;
  readonly regarding: EventSubject;
  /** The object of the pipeline, or the node, that the event is about. */
  readonly related?: EventSubject;
  readonly series?: { readonly count: number; readonly lastObservedTime: string };
}

interface EventSubject {
  readonly apiVersion?: string;
  readonly kind: string;
  readonly name: string;
  readonly namespace?: string | undefined;
  readonly uid?: string;
}

export const events: ResourceType<PipelineEvent> = {
  group: 'events.k8s.io',
  version: 'v1',
  kind: 'Event',
  plural: 'events',
  namespaced: true,
};

const CONTROLLER = 'equipoise.dev/operator';
/** Longest note in bytes. */
const MOST_NOTE = 1024;
const MOST_NAME = 200;

export function eventsOf(
  pipeline: InferencePipeline,
  conditions: readonly PipelineCondition[],
  nowEpochMs: number,
): readonly PipelineEvent[] {
  const before = pipeline.status?.conditions ?? [];
  return conditions.flatMap((condition) => {
    const old = before.find(({ type }) => type === condition.type);
    const isNews = old === undefined ? condition.status !== 'Unknown' : isChanged(old, condition);
    return isNews ? [eventOf(pipeline, old, condition, nowEpochMs)] : [];
  });
}

const isChanged = (a: PipelineCondition, b: PipelineCondition): boolean =>
  a.status !== b.status || a.reason !== b.reason;

/** Events of refused writes, one for each object. */
export function refusalEvents(
  pipeline: InferencePipeline,
  refusals: readonly ChildRefusal[],
  nowEpochMs: number,
): readonly PipelineEvent[] {
  const { namespace } = pipeline.metadata;
  return refusals.map(({ kind, name, reason, message }) => ({
    ...draftOf(pipeline, [kind, name, reason, eventTime(nowEpochMs)], nowEpochMs),
    type: 'Warning' as const,
    reason,
    action: 'Apply',
    note: noteOf(message),
    related: { kind, name, namespace },
  }));
}

/** Event of a pipeline that is not managed, because the operator may not list some objects of pipelines. */
export const refusedListsEvent = (
  pipeline: InferencePipeline,
  refusals: readonly string[],
  nowEpochMs: number,
): PipelineEvent => ({
  ...draftOf(pipeline, [refusals, eventTime(nowEpochMs)], nowEpochMs),
  type: 'Warning',
  reason: 'ListRefused',
  action: 'List',
  note: noteOf(`The operator does not manage this pipeline until it gets the right: ${refusals.join('; ')}`),
});

/** Events of bad conditions of nodes, one for each. */
export function nodeEvents(
  pipeline: InferencePipeline,
  conditions: readonly NodeCondition[],
  nowEpochMs: number,
): readonly PipelineEvent[] {
  return conditions.map(({ node, type, reason, message }) => ({
    ...draftOf(pipeline, [node, type, eventTime(nowEpochMs)], nowEpochMs),
    type: 'Warning' as const,
    reason,
    action: type,
    note: noteOf(message),
    related: { apiVersion: 'v1', kind: 'Node', name: node },
  }));
}

/** RFC 3339 with microseconds, as events require. */
export const eventTime = (epochMs: number): string => new Date(epochMs).toISOString().replace('Z', '000Z');

/** The common fields of events; `identity` gives the event its name. */
function draftOf(
  { apiVersion, kind, metadata: { name, namespace, uid } }: InferencePipeline,
  identity: readonly unknown[],
  nowEpochMs: number,
) {
  const placed = { name, namespace };
  const start = name.slice(0, MOST_NAME).replace(/[^a-z0-9]+$/, '');
  return {
    apiVersion: 'events.k8s.io/v1',
    kind: 'Event',
    metadata: { ...placed, name: `${start}.${digestOf(JSON.stringify([uid, ...identity]), 16)}` },
    eventTime: eventTime(nowEpochMs),
    reportingController: CONTROLLER,
    reportingInstance: CONTROLLER,
    regarding: { apiVersion, kind, ...placed, ...(uid !== undefined && { uid }) },
  };
}

function eventOf(
  pipeline: InferencePipeline,
  old: PipelineCondition | undefined,
  { type, status, reason, message }: PipelineCondition,
  nowEpochMs: number,
): PipelineEvent {
  const change = [old?.lastTransitionTime, old?.status, old?.reason, type, status, reason];
  return {
    ...draftOf(pipeline, change, nowEpochMs),
    type: isWarning(type, status) ? 'Warning' : 'Normal',
    reason,
    action: type,
    note: noteOf(message),
  };
}

/** The server refuses longer notes, and counts bytes. A character that does not fit is left out. */
function noteOf(message: string): string {
  const bytes = Buffer.from(message.slice(0, MOST_NOTE));
  return bytes.length <= MOST_NOTE
    ? bytes.toString()
    : bytes
        .subarray(0, MOST_NOTE)
        .toString()
        .replace(/\uFFFD$/, '');
}

/** Starting replicas are no reason to warn. */
function isWarning(type: PipelineCondition['type'], status: PipelineCondition['status']): boolean {
  if (type === 'Degraded') return status === 'True';
  return type !== 'Ready' && status === 'False';
}

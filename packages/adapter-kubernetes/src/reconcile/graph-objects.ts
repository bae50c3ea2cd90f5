/** Objects of an engine that walks the graph: what they say about workloads, replicas, shares and readiness. */
import type { KubeObject } from '../api/kube-object.js';
import { LABEL_PREFIX, labelsOf, objectName } from '../cluster/object-names.js';
import { isReady, isRouter, isStage, type ObservedDeployment, type ObservedPod } from '../cluster/observed-objects.js';
import { engineObjectState } from '../render/engines/engine-state.js';
import { type InferenceGraph, splitOf, withSplit } from '../render/engines/kserve-graph.js';
import type { SeldonGraphDeployment } from '../render/engines/seldon-graph.js';
import {
  experimentShare,
  type SeldonExperiment,
  type SeldonPipeline,
  seldonExperiment,
} from '../render/engines/seldon-pipeline.js';
import { amountOf } from '../render/quantities.js';
import { changedAtMs, replicasOf } from './engine-objects.js';
import type { ObservedPipeline } from './reconciliation.js';

type GraphObject = InferenceGraph | SeldonPipeline;

const PART = `${LABEL_PREFIX}/part`;

export const isGraph = (object: KubeObject): object is GraphObject =>
  object.kind === 'InferenceGraph' || object.kind === 'Pipeline';

/** A graph that has its workloads in it. */
export const isWholeGraph = (object: KubeObject): object is SeldonGraphDeployment =>
  object.kind === 'SeldonDeployment' && isRouter(object);

export const isExperiment = (object: KubeObject): object is SeldonExperiment => object.kind === 'Experiment';

/** The object of a workload whose readiness counts: a Model needs its Server. */
export const isWorkload = (object: KubeObject): boolean =>
  isStage(object) && ['InferenceService', 'Model', 'Server'].includes(object.kind);

/** Workloads that a graph sends requests to. */
export function workloadsOfGraph(graph: GraphObject): readonly string[] {
  if (graph.kind === 'Pipeline') return graph.spec.steps.map(({ name }) => name);
  const steps = Object.values(graph.spec.nodes).flatMap((node) => node.steps);
  const urls = steps.flatMap(({ serviceUrl, weight }) =>
    serviceUrl === undefined || weight !== undefined ? [] : [serviceUrl],
  );
  return [...new Set(urls.map((url) => new URL(url).hostname))];
}

/** The graph of a canary: the wanted graph under another name. */
export function nextGraph(graph: GraphObject, pipeline: string): GraphObject {
  const name = objectName(pipeline, 'next');
  const labels = labelsOf(pipeline, { kind: 'next' });
  const renamed = { ...graph, metadata: { ...graph.metadata, name, labels } };
  if (renamed.kind !== 'Pipeline') return renamed;
  const own = `${graph.metadata.name}.inputs.`;
  const nameOf = (reference: string): string =>
    reference.startsWith(own) ? `${name}.inputs.${reference.slice(own.length)}` : reference;
  const steps = renamed.spec.steps.map(({ inputs, tensorMap, ...step }) => ({
    ...step,
    ...(inputs && { inputs: inputs.map(nameOf) }),
    ...(tensorMap && {
      tensorMap: Object.fromEntries(Object.entries(tensorMap).map(([key, value]) => [nameOf(key), value])),
    }),
  }));
  return { ...renamed, spec: { ...renamed.spec, steps } };
}

/** Fraction of the requests that goes to a canary. */
export function graphShare(children: readonly KubeObject[]): number {
  const experiment = children.find(isExperiment);
  if (experiment !== undefined) return experimentShare(experiment);
  const graph = children.find((child) => child.kind === 'InferenceGraph' && isRouter(child));
  return graph === undefined ? 0 : splitOf(graph as InferenceGraph);
}

/** Canary that has a share: the workloads that only its graph uses. */
export function activeGraphCanary({
  children,
}: Pick<ObservedPipeline, 'children'>):
  | { readonly workloads: readonly string[]; readonly fraction: number }
  | undefined {
  const fraction = graphShare(children);
  const graphs = children.filter(isGraph);
  const serving = graphs.find(isRouter);
  if (fraction === 0 || serving === undefined) return undefined;
  const used = workloadsOfGraph(serving);
  const next = graphs.filter((graph) => graph !== serving).flatMap(workloadsOfGraph);
  return { workloads: next.filter((name) => !used.includes(name)), fraction };
}

/** Object that gives a canary a fraction: the serving graph of KServe with a Splitter, or an Experiment. */
export function sharingObject(
  serving: GraphObject,
  { pipeline, fraction }: { readonly pipeline: string; readonly fraction: number },
): KubeObject {
  if (serving.kind === 'InferenceGraph')
    return withSplit(serving, { url: `http://${objectName(pipeline, 'next')}`, fraction });
  const experiment = seldonExperiment(pipeline, fraction);
  const { namespace, ownerReferences } = serving.metadata;
  return { ...experiment, metadata: { ...experiment.metadata, namespace, ownerReferences } } as KubeObject;
}

type Fields = Readonly<Record<string, unknown>>;

/** Fields whose values are amounts. The webhook of an engine spells them as Go does: 200M for 200000000. */
const AMOUNTS = ['requests', 'limits', 'memory'];

/** True if `live` has all fields of `wanted`; servers add defaults. */
export function holds(live: unknown, wanted: unknown, isAmount = false): boolean {
  if (Array.isArray(wanted))
    return (
      Array.isArray(live) && live.length === wanted.length && wanted.every((each, index) => holds(live[index], each))
    );
  if (typeof wanted !== 'object' || wanted === null)
    return live === wanted || (isAmount && amountOf(String(live)) === amountOf(String(wanted)));
  if (typeof live !== 'object' || live === null) return false;
  return Object.entries(wanted).every(
    ([key, value]) => value === undefined || holds((live as Fields)[key], value, isAmount || AMOUNTS.includes(key)),
  );
}

export const specOf = (object: KubeObject): Fields => (object as KubeObject & { readonly spec?: Fields }).spec ?? {};

/**
 * True if the pods of a graph walk it in its current form. KServe's status is ready as soon as the Deployment of its
 * router has any condition `Available`, so the arguments of the pods count (raw_ig.go).
 */
export function isInForce(graph: KubeObject, pods: readonly ObservedPod[], nowEpochMs: number): boolean {
  if (engineObjectState(graph)?.kind !== 'ready') return false;
  if (graph.kind !== 'InferenceGraph') return nowEpochMs - changedAtMs(graph) >= SETTLING_MS;
  const part = graph.metadata.labels?.[PART];
  const own = pods.filter(({ metadata }) => metadata.labels?.[PART] === part);
  const { nodes } = (graph as InferenceGraph).spec;
  return own.some(isReady) && own.every((pod) => isReady(pod) && holds(graphOfPod(pod)?.['nodes'], nodes));
}

/** Seldon's status may still be that of the form before: it tells no generation. */
const SETTLING_MS = 10_000;

/** The graph in the arguments of a router pod. */
function graphOfPod({ spec }: ObservedPod): Fields | undefined {
  const containers = (spec?.containers ?? []) as readonly { readonly args?: readonly string[] }[];
  const args = containers.flatMap((container) => container.args ?? []);
  const text = args[args.indexOf('--graph-json') + 1];
  if (text === undefined || !args.includes('--graph-json')) return undefined;
  try {
    return JSON.parse(text) as Fields;
  } catch {
    return undefined;
  }
}

/** Objects of the engine in the form of Deployments, for the findings and the replicas of the status. */
export function asDeployments(children: readonly KubeObject[]): ReadonlyMap<string, ObservedDeployment> {
  const shown = children.filter(
    (child) =>
      isWholeGraph(child) || (isGraph(child) && isRouter(child)) || (isWorkload(child) && child.kind !== 'Server'),
  );
  return new Map(shown.map((child) => [child.metadata.name, asDeployment(child)]));
}

function asDeployment(object: KubeObject): ObservedDeployment {
  const state = engineObjectState(object);
  const isWhole = isWholeGraph(object);
  const wanted = isGraph(object) ? 1 : isWhole ? (state?.wanted ?? 1) : replicasOf(object);
  const ready = state?.kind === 'ready' ? wanted : Math.min(state?.ready ?? 0, wanted);
  const isStuck = state?.kind === 'failed';
  const { apiVersion } = object;
  // Its replicas are those of all stages.
  const metadata = isWhole
    ? { ...object.metadata, labels: { ...object.metadata.labels, [PART]: 'stage' } }
    : object.metadata;
  return {
    apiVersion,
    kind: object.kind,
    metadata,
    spec: { replicas: wanted, template: {} },
    status: {
      observedGeneration: metadata.generation ?? 0,
      replicas: wanted,
      updatedReplicas: wanted,
      readyReplicas: state?.kind === 'progressing' ? Math.min(ready, Math.max(0, wanted - 1)) : ready,
      ...(isStuck && {
        readyReplicas: 0,
        conditions: [
          { type: 'Progressing', status: 'False', reason: 'EngineFailed', message: state.message ?? 'it has failed' },
        ],
      }),
    },
  };
}

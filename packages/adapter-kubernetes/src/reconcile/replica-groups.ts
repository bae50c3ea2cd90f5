import { OWN_MANAGERS, ownersOfField } from '../api/field-managers.js';
import { LABEL_PREFIX } from '../cluster/object-names.js';
import { isStage, type ObservedDeployment, type ObservedPod } from '../cluster/observed-objects.js';
import { lacksNode, rolloutState } from '../cluster/rollout-state.js';
import type { AutoscalerNames } from '../observe/autoscalers.js';
import type { Deployment } from '../render/manifest-types.js';
import { CONFIG_DIGEST } from '../render/pod-template.js';
import { amountOf } from '../render/quantities.js';
import type { ReplicaGroup } from './headroom.js';

/** Input of the groups; `inForce`: replicas of the running plan, by Deployment. */
export interface ReplicaGroupsInput {
  readonly wanted: readonly Deployment[];
  readonly live: readonly ObservedDeployment[];
  readonly pods: readonly ObservedPod[];
  readonly inForce: ReadonlyMap<string, number>;
  readonly foreign: ReadonlySet<string>;
}

/** Wanted groups come first. */
export function replicaGroups({ wanted, live, pods, inForce, foreign }: ReplicaGroupsInput): readonly ReplicaGroup[] {
  const old = live.filter(({ metadata }) => !wanted.some((each) => each.metadata.name === metadata.name));
  const coresOf = podCoresBy([...wanted, ...old]);
  const groups = [...wanted, ...old].map((deployment): ReplicaGroup => {
    const { name } = deployment.metadata;
    const target = wanted.find(({ metadata }) => metadata.name === name);
    const present = live.find(({ metadata }) => metadata.name === name);
    const own = pods.filter((pod) => isStage(pod) && partKey(pod) === partKey(deployment));
    return {
      name,
      stage: labelOf(deployment, 'stage'),
      cpuCores: replicaCores(deployment),
      wanted: target?.spec.replicas,
      inForce: inForce.get(name) ?? 0,
      isForeign: foreign.has(name),
      ...presentState(present, own.map(coresOf)),
      isUnplaced: own.some(lacksNode),
      isOutdated: present !== undefined && target !== undefined && !isOfTemplate(present, target),
    };
  });
  const parts = new Set([...wanted, ...old].map(partKey));
  const strays = pods.filter((pod) => isStage(pod) && !parts.has(partKey(pod)));
  return [...groups, ...strays.map((pod) => straggler(pod, coresOf(pod)))];
}

/** Group of a leftover pod, which holds cores until it is gone. */
function straggler(pod: ObservedPod, cpuCores: number): ReplicaGroup {
  return {
    name: pod.metadata.name,
    stage: '',
    cpuCores,
    heldCpuCores: cpuCores,
    inForce: 0,
    present: 0,
    ready: 0,
    isCalm: false,
    isOutdated: false,
    isForeign: false,
    isUnplaced: lacksNode(pod),
  };
}

export function isOfTemplate(live: ObservedDeployment, wanted: Deployment): boolean {
  return digestOf(live) === digestOf(wanted) && replicaCores(live) === replicaCores(wanted);
}

export const digestOf = ({ spec }: ObservedDeployment | Deployment): string | undefined =>
  spec.template.metadata?.annotations?.[CONFIG_DIGEST];

/** State of a Deployment with pods of these cores. */
function presentState(
  live: ObservedDeployment | undefined,
  pods: readonly number[],
): Pick<ReplicaGroup, 'present' | 'heldCpuCores' | 'ready' | 'isCalm'> {
  const heldByPods = pods.reduce((sum, cpuCores) => sum + cpuCores, 0);
  if (live === undefined) return { present: 0, heldCpuCores: heldByPods, ready: 0, isCalm: pods.length === 0 };
  const present = live.spec.replicas ?? 1;
  const { replicas = 0, updatedReplicas = 0, readyReplicas = 0 } = live.status ?? {};
  // A rollout may have one extra pod.
  const most = present + (updatedReplicas < replicas ? 1 : 0);
  return {
    present,
    heldCpuCores: Math.max(most * replicaCores(live), heldByPods),
    ready: Math.min(readyReplicas, updatedReplicas),
    isCalm: rolloutState(live).kind === 'complete' && pods.length <= present,
  };
}

const replicaCores = ({ spec }: ObservedDeployment | Deployment): number =>
  requestedCores(spec.template.spec?.containers ?? []);

/**
 * Cores of a pod without the containers that others add to it, such as the proxy of a mesh: budgets do not count them. A
 * pod without a known container counts whole.
 */
function podCoresBy(deployments: readonly (ObservedDeployment | Deployment)[]): (pod: ObservedPod) => number {
  const names = new Set(deployments.flatMap(({ spec }) => (spec.template.spec?.containers ?? []).map(nameOf)));
  return ({ spec }) => {
    const all: readonly Requests[] = spec?.containers ?? [];
    const own = all.filter((container) => names.has(nameOf(container)));
    return requestedCores(own.length > 0 ? own : all);
  };
}

const nameOf = ({ name }: Requests): string | undefined => name;

type Requests = {
  readonly name?: string;
  readonly resources?: { readonly requests?: Readonly<Record<string, string>> };
};

const requestedCores = (containers: readonly Requests[]): number =>
  containers.reduce((sum, { resources }) => sum + amountOf(resources?.requests?.['cpu'] ?? '0'), 0);

const labelOf = ({ metadata }: Pick<ObservedPod, 'metadata'>, label: string): string =>
  metadata.labels?.[`${LABEL_PREFIX}/${label}`] ?? '';

const partKey = (object: Pick<ObservedPod, 'metadata'>): string =>
  `${labelOf(object, 'stage')} ${labelOf(object, 'variant')}`;

/** Annotation of a Deployment whose replicas a person or another controller sets. The value says who. */
export const REPLICAS_BY = `${LABEL_PREFIX}/replicas-by`;

/**
 * Replicas set by an autoscaler, or by the writer that an annotation names. They are left alone, because two writers
 * would start and stop pods without end. Any other change of the replicas is taken back.
 */
export interface ForeignReplicas {
  readonly deployment: string;
  readonly manager: string;
  readonly replicas: number;
  readonly wanted: number;
}

/**
 * `autoscalers` by Deployment; undefined if they are unknown. Then each foreign writer may be an autoscaler. A writer that
 * wants the number of the plan counts, too: an apply with this number would take the field over.
 */
export function foreignReplicas(
  deployment: ObservedDeployment,
  wanted: number,
  autoscalers: AutoscalerNames | undefined,
): ForeignReplicas | undefined {
  const { name, annotations = {} } = deployment.metadata;
  const replicas = deployment.spec.replicas ?? 1;
  const writer = foreignWriter(deployment);
  if (writer === undefined) return undefined;
  const owner = annotations[REPLICAS_BY] ?? (autoscalers === undefined ? writer : autoscalers.get(name));
  return owner === undefined ? undefined : { deployment: name, manager: owner, replicas, wanted };
}

/** Manager of others that set the replicas; undefined if Equipoise set them. */
export function foreignWriter(deployment: ObservedDeployment): string | undefined {
  const owners = ownersOfField(deployment, 'spec.replicas').map(({ manager = 'unknown' }) => manager);
  return owners.find((manager) => !OWN_MANAGERS.includes(manager));
}

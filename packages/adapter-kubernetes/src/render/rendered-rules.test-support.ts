/**
 * Rules for renderings of every engine: valid names and labels, existing references, pods without rights, and the
 * resources of the plan.
 */
import type { KubeObject } from '../api/kube-object.js';
import type { Labels } from '../cluster/object-names.js';
import {
  type ConfigMap,
  type Container,
  type NetworkPolicy,
  type PodDisruptionBudget,
  type PodSpec,
  pauseSecondsOf,
  type Service,
} from './manifest-types.js';
import type { RenderRequest } from './render-request.js';

/** Pods of a workload of any engine. */
export interface RenderedPods {
  readonly owner: KubeObject;
  readonly labels: Labels;
  readonly selector?: Labels;
  readonly replicas: number;
  readonly spec: PodSpec;
}

type Fields = Readonly<Record<string, unknown>>;

/** Pods of an object; undefined if it has none, or if the engine defines them. */
export function podsOf(object: KubeObject): RenderedPods | undefined {
  const spec = (object as KubeObject & { readonly spec?: Fields }).spec as never as Fields;
  switch (object.kind) {
    case 'Deployment': {
      const { template, selector, replicas } = spec as never as {
        template: { metadata: { labels: Labels }; spec: PodSpec };
        selector: { matchLabels: Labels };
        replicas: number;
      };
      const { labels } = template.metadata;
      return { owner: object, labels, selector: selector.matchLabels, replicas, spec: template.spec };
    }
    case 'InferenceService': {
      const { predictor } = spec as never as { predictor: PodSpec & { labels: Labels; minReplicas: number } };
      return { owner: object, labels: predictor.labels, replicas: predictor.minReplicas, spec: predictor };
    }
    case 'SeldonDeployment': {
      const [predictor] = (spec as never as { predictors: readonly SeldonPredictor[] }).predictors;
      const [pod] = predictor?.componentSpecs ?? [];
      if (predictor === undefined || pod === undefined) return undefined;
      return { owner: object, labels: pod.metadata.labels, replicas: predictor.replicas, spec: pod.spec };
    }
    default:
      return undefined;
  }
}

interface SeldonPredictor {
  readonly replicas: number;
  readonly componentSpecs: readonly { readonly metadata: { readonly labels: Labels }; readonly spec: PodSpec }[];
}

/** Broken rules of a rendering, as text. */
export function brokenRules(objects: readonly KubeObject[], request: RenderRequest): readonly string[] {
  const pods = objects.map(podsOf).filter((each) => each !== undefined);
  return [
    ...objects.flatMap((object) => [...metadataProblems(object, request)]),
    ...repeatedNames(objects),
    ...pods.flatMap((each) => [...podProblems(each, objects)]),
    ...objects.flatMap((object) => [...selectorProblems(object, pods)]),
    ...resourceProblems(pods, request),
  ];
}

const idOf = ({ kind, metadata }: KubeObject) => `${kind} ${metadata.name}`;

function* metadataProblems(object: KubeObject, { namespace }: RenderRequest): Generator<string> {
  const { name, labels = {}, namespace: placed } = object.metadata;
  if (!/^[a-z]([a-z0-9-]*[a-z0-9])?$/.test(name) || name.length > 63) yield `${idOf(object)}: the name is no DNS label`;
  if (placed !== namespace) yield `${idOf(object)}: is in the namespace ${placed}`;
  if (labels['app.kubernetes.io/managed-by'] !== 'equipoise') yield `${idOf(object)}: nobody is said to manage it`;
  for (const [label, value] of Object.entries(labels)) {
    if (!/^[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$/.test(value)) yield `${idOf(object)}: ${label} is ${value}`;
  }
}

function repeatedNames(objects: readonly KubeObject[]): readonly string[] {
  const ids = objects.map(idOf);
  return ids.filter((id, index) => ids.indexOf(id) < index).map((id) => `${id}: is there twice`);
}

const selects = (selector: Labels, labels: Labels) =>
  Object.entries(selector).every(([label, value]) => labels[label] === value);

function* podProblems(pods: RenderedPods, objects: readonly KubeObject[]): Generator<string> {
  const { owner, labels, selector, spec } = pods;
  const where = idOf(owner);
  if (selector !== undefined && !selects(selector, labels)) yield `${where}: does not select its own pods`;
  yield* referenceProblems(spec, objects).map((problem) => `${where}: ${problem}`);
  if (spec.automountServiceAccountToken) yield `${where}: gets a token`;
  const { runAsNonRoot, runAsUser, seccompProfile } = spec.securityContext;
  const isRestricted = runAsNonRoot && runAsUser !== 0 && seccompProfile.type === 'RuntimeDefault';
  if (!isRestricted) yield `${where}: may run as root`;
  for (const container of [...(spec.initContainers ?? []), ...spec.containers]) {
    yield* containerProblems(container, spec).map((problem) => `${where}, ${container.name}: ${problem}`);
  }
  yield* spec.containers.flatMap((container) => lifeProblems(container, spec)).map((problem) => `${where}: ${problem}`);
}

function referenceProblems({ serviceAccountName, volumes }: PodSpec, objects: readonly KubeObject[]) {
  const keys = objects.flatMap((object) =>
    object.kind === 'ConfigMap' ? Object.keys((object as ConfigMap).data).map((key) => `${idOf(object)}/${key}`) : [],
  );
  const ids = new Set([...objects.map(idOf), ...keys]);
  const configs = volumes.flatMap((volume) => {
    if (!('configMap' in volume)) return [];
    const { name, items } = volume.configMap;
    return items?.map(({ key }) => `ConfigMap ${name}/${key}`) ?? [`ConfigMap ${name}`];
  });
  const wanted = [`ServiceAccount ${serviceAccountName}`, ...configs];
  return wanted.filter((id) => !ids.has(id)).map((id) => `there is no ${id}`);
}

function lifeProblems(container: Container, pod: PodSpec) {
  const { readinessProbe, livenessProbe, startupProbe, lifecycle } = container;
  const probes = [readinessProbe, livenessProbe, startupProbe];
  const leaveS = lifecycle === undefined ? 0 : pauseSecondsOf(lifecycle.preStop);
  return [
    probes.includes(undefined) ? 'lacks a probe' : '',
    leaveS > 0 && pod.terminationGracePeriodSeconds > leaveS ? '' : 'stops at once',
  ].filter((problem) => problem !== '');
}

function containerProblems(
  { securityContext, volumeMounts = [], resources, ports = [], ...rest }: Container,
  pod: PodSpec,
) {
  const volumes = pod.volumes.map(({ name }) => name);
  const probed = [rest.startupProbe, rest.readinessProbe, rest.livenessProbe].map(
    (probe) => probe?.httpGet?.port ?? probe?.tcpSocket?.port,
  );
  const portNames = ports.map(({ name }) => name);
  return [
    securityContext?.allowPrivilegeEscalation === false ? '' : 'may gain privileges',
    securityContext?.readOnlyRootFilesystem ? '' : 'may write to its root',
    securityContext?.capabilities.drop.join() === 'ALL' ? '' : 'has capabilities',
    volumeMounts.every(({ name }) => volumes.includes(name)) ? '' : 'mounts what is not there',
    resources?.requests['cpu'] === undefined ? 'asks for no cores' : '',
    probed.every((port) => port === undefined || portNames.includes(port)) ? '' : 'is probed where it has no port',
  ].filter((problem) => problem !== '');
}

function* selectorProblems(object: KubeObject, pods: readonly RenderedPods[]): Generator<string> {
  const selector = selectorOf(object);
  // Seldon defines the pods of a Server.
  if (selector === undefined) return;
  const selected = pods.filter(({ labels }) => selects(selector, labels));
  if (selected.length !== 1) yield `${idOf(object)}: selects the pods of ${selected.length} workloads`;
  if (object.kind !== 'Service') return;
  const { spec } = object as Service;
  for (const { port, targetPort } of spec.ports) {
    const target = selected.flatMap(({ spec: pod }) => pod.containers.flatMap(({ ports = [] }) => ports));
    const found = target.find(({ name }) => name === targetPort);
    if (found === undefined) yield `${idOf(object)}: leads to no port ${targetPort}`;
    else if (spec.clusterIP === 'None' && found.containerPort !== port) yield `${idOf(object)}: has another port`;
  }
}

function selectorOf(object: KubeObject): Labels | undefined {
  if (object.kind === 'Service') return (object as Service).spec.selector;
  if (object.kind === 'PodDisruptionBudget') return (object as PodDisruptionBudget).spec.selector.matchLabels;
  if (object.kind === 'NetworkPolicy') return (object as NetworkPolicy).spec.podSelector.matchLabels;
  return undefined;
}

/** Our pods have the replicas and resources of the plan, plus memory for our server. */
function resourceProblems(pods: readonly RenderedPods[], { plan }: RenderRequest): readonly string[] {
  return pods.flatMap(({ labels, replicas, spec, owner }) => {
    const stage = labels['equipoise.dev/stage'];
    const [planned] = Object.entries(plan.stages).find(([id]) => id === stage)?.[1] ?? [];
    const container = spec.containers[0];
    if (planned === undefined || container?.resources === undefined) return [];
    const { cpuCores, memoryBytes, gpus } = planned.resources;
    const extra = spec.volumes.some((volume) => 'configMap' in volume) ? 402_653_184 : 0;
    const wanted = {
      cpu: cpuCores,
      memory: memoryBytes === 0 ? undefined : memoryBytes + extra,
      gpus: gpus === 0 ? undefined : gpus,
      replicas: planned.replicas,
    };
    return [container.resources.requests, container.resources.limits].flatMap((amounts) => {
      const found = {
        cpu: coresOf(amounts['cpu'] ?? ''),
        memory: numberOf(amounts['memory']),
        gpus: numberOf(amounts['nvidia.com/gpu']),
        replicas,
      };
      const same = JSON.stringify(found) === JSON.stringify(wanted);
      return same ? [] : [`${idOf(owner)}: has ${JSON.stringify(found)} where the plan says ${JSON.stringify(wanted)}`];
    });
  });
}

const coresOf = (cpu: string) => (cpu.endsWith('m') ? Number(cpu.slice(0, -1)) / 1000 : Number(cpu));
const numberOf = (amount: string | undefined) => (amount === undefined ? undefined : Number(amount));

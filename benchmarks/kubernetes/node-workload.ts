/** A pipeline in a namespace of the node: its commands, pods and control groups. */
import { spawn } from 'node:child_process';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { eventually } from '../../packages/adapter-kubernetes/src/test-cluster/cluster-objects.test-support.js';
import { type EndedProgram, outputOf, runToEnd } from '../../packages/testkit/src/run-to-end.js';
import { PIPELINE_NAME } from './routers-pipeline.js';

const equipoise = fileURLToPath(new URL('../../packages/app/bin/equipoise', import.meta.url));
const memoryThreshold = fileURLToPath(new URL('../../scripts/kube-node/memory-threshold', import.meta.url));
const LIMIT_MS = 120_000;
const ACCOUNTING = '/sys/fs/cgroup/cpuacct/equipoise-node';
const MOST_LIKELY_VICTIM = '1000';
const HEADROOM_BYTES = 1 << 24;
const MEMORY = '/sys/fs/cgroup/memory/equipoise-node';

export interface Pod {
  readonly metadata: { readonly name: string; readonly uid: string; readonly deletionTimestamp?: string };
  readonly spec: { readonly nodeName?: string };
  readonly status: {
    readonly podIP?: string;
    readonly conditions?: readonly {
      readonly type: string;
      readonly status: string;
      readonly lastTransitionTime?: string;
    }[];
    readonly containerStatuses?: readonly {
      readonly restartCount: number;
      readonly lastState: { readonly terminated?: { readonly reason: string } };
      readonly state: { readonly running?: { readonly startedAt: string } };
    }[];
  };
}

export const isReady = ({ metadata, status }: Pod): boolean =>
  metadata.deletionTimestamp === undefined &&
  (status.conditions?.some(({ type, status: now }) => type === 'Ready' && now === 'True') ?? false);

/** Pods of all routers, of one router, or of a stage of a router. Routers are numbered from 0. */
export const routerPods = (router?: number): string =>
  router === undefined ? 'app.kubernetes.io/component=router' : `equipoise.dev/part=${partOf('router', router)}`;
export const stagePods = (stage: string, router = 0): string =>
  `equipoise.dev/part=${partOf('stage', router)},equipoise.dev/stage=${stage}`;
const partOf = (kind: string, router: number): string => (router === 0 ? kind : `${kind}-${router}`);

export interface WorkloadPlace {
  readonly kubeconfig: string;
  readonly namespace: string;
  /** Pipeline file with its profile. */
  readonly pipeline: string;
  readonly image: string;
}

export class NodeWorkload {
  readonly #place: WorkloadPlace;
  readonly #kubectl: string;

  constructor(place: WorkloadPlace) {
    this.#place = place;
    const binaries = readFileSync(join(dirname(place.kubeconfig), 'binaries'), 'utf8').trim();
    this.#kubectl = join(binaries, 'kubectl');
  }

  /** Refuses pods that do not meet the restricted security standard. */
  async create(): Promise<void> {
    await this.kube('create', 'namespace', this.#place.namespace);
    await this.kube('label', 'namespace', this.#place.namespace, 'pod-security.kubernetes.io/enforce=restricted');
  }

  async remove(): Promise<void> {
    const { namespace } = this.#place;
    await this.kube('delete', 'namespace', namespace, '--ignore-not-found', '--wait=false');
    await eventually(async () => {
      await runToEnd(this.#kubectl, this.#cluster('delete', 'pods', '--all', '--grace-period=1', '--wait=false'));
      return (await this.kube('get', 'namespace', namespace, '--ignore-not-found')).trim() === '';
    }, LIMIT_MS);
  }

  /** kubectl in the namespace; rejects if it fails. */
  async kube(...args: readonly string[]): Promise<string> {
    return outputOf(runToEnd(this.#kubectl, this.#cluster(...args)));
  }

  /** kubectl in the namespace, whether it succeeds or not. */
  run(...args: readonly string[]): Promise<EndedProgram> {
    return runToEnd(this.#kubectl, this.#cluster(...args));
  }

  /** kubectl with an object on standard input. */
  async send(object: unknown, ...args: readonly string[]): Promise<EndedProgram> {
    return runToEnd(this.#kubectl, this.#cluster(...args), JSON.stringify(object));
  }

  /** `kubectl get --watch`, with a call for each line, until the returned function is called. */
  watch(onLine: (line: string) => void, ...args: readonly string[]): () => void {
    const child = spawn(this.#kubectl, this.#cluster('get', '--watch', ...args), {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    createInterface(child.stdout).on('line', onLine);
    return () => child.kill();
  }

  #cluster(...args: readonly string[]): readonly string[] {
    return ['--kubeconfig', this.#place.kubeconfig, '--namespace', this.#place.namespace, ...args];
  }

  /** A plan for a load, with these sizes; returns its file. */
  async plan(file: string, arrivalRps: number, sizes: PlanSizes): Promise<string> {
    const { routers, replicas, maxBatchSize = 1, cpuCores = {} } = sizes;
    const load = ['--arrival-rps', String(arrivalRps), '--routers', String(routers), '--target', 'deployment'];
    const text = await outputOf(runToEnd(equipoise, ['plan', this.#place.pipeline, ...load, '--json']));
    const document = JSON.parse(text) as { plan: { stages: Record<string, PlannedPart[]> } };
    for (const [stage, parts] of Object.entries(document.plan.stages))
      for (const part of parts) {
        const resources = { ...part.resources, cpuCores: cpuCores[stage] ?? part.resources.cpuCores };
        Object.assign(part, { replicas: routers * replicas, maxBatchSize, resources });
      }
    writeFileSync(file, JSON.stringify(document));
    return file;
  }

  /** Applies a plan, without CPU limits or with those of the plan; resolves when it runs. */
  async apply(planFile: string, { hasCpuLimits = false }: { readonly hasCpuLimits?: boolean } = {}): Promise<void> {
    const limits = hasCpuLimits ? ['--least-cpu-cores', '0'] : ['--no-cpu-limits'];
    const flags = ['--plan', planFile, '--image', this.#place.image, ...limits];
    await outputOf(runToEnd(equipoise, ['k8s', 'apply', this.#place.pipeline, ...flags, ...this.#cluster()]));
    await this.planRuns();
  }

  /** Resolves when the plan runs, all pods are ready, and none is terminating. */
  async planRuns(): Promise<void> {
    await eventually(async () => {
      const all = await this.pods('equipoise.dev/pipeline');
      if (!all.every(isReady)) return false;
      return (await runToEnd(equipoise, ['k8s', 'status', PIPELINE_NAME, ...this.#cluster()])).exitCode === 0;
    }, LIMIT_MS).catch(async (error: unknown) => {
      throw new Error(await this.kube('get', 'pods,events'), { cause: error });
    });
  }

  async pods(selector: string): Promise<readonly Pod[]> {
    const text = await this.kube('get', 'pods', '--selector', selector, '--output', 'json');
    return (JSON.parse(text) as { readonly items: readonly Pod[] }).items;
  }

  /** A ready pod. */
  async pod(selector: string): Promise<Pod> {
    const found = (await this.pods(selector)).find(isReady);
    if (found === undefined) throw new Error(`no pod of ${selector} is ready`);
    return found;
  }

  /** Address of the Service for processes of this machine. */
  async url(): Promise<string> {
    const address = await this.kube('get', 'service', PIPELINE_NAME, '--output', 'jsonpath={.spec.clusterIP}');
    return `http://${address}:8080/v1/pipelines/${PIPELINE_NAME}/run`;
  }

  /** Evicts a pod, as `kubectl drain` does. */
  async evict(pod: Pod): Promise<void> {
    const { namespace } = this.#place;
    const { name } = pod.metadata;
    const eviction = { apiVersion: 'policy/v1', kind: 'Eviction', metadata: { name, namespace } };
    const path = `/api/v1/namespaces/${namespace}/pods/${name}/eviction`;
    const { exitCode, stderr } = await this.send(eviction, 'create', '--raw', path, '-f', '-');
    if (exitCode !== 0) throw new Error(stderr);
  }

  /** Memory of the node that its kubelet counts as available. */
  async availableMemoryBytes(): Promise<number> {
    const node = await this.kube('get', 'nodes', '--output', 'jsonpath={.items[0].metadata.name}');
    const summary = await this.kube('get', '--raw', `/api/v1/nodes/${node}/proxy/stats/summary`);
    return (JSON.parse(summary) as NodeSummary).node.memory.availableBytes;
  }

  /** Sets the available memory below which the node evicts pods, without filling it; default: that of `kube:up`. */
  async setMemoryThreshold(bytes?: number): Promise<void> {
    const quantity = bytes === undefined ? [] : [String(bytes)];
    await outputOf(runToEnd(memoryThreshold, [dirname(this.#place.kubeconfig), ...quantity]));
  }

  /**
   * The kernel kills a pod for its memory: the limit of its container falls to little more than its use, and another
   * program in the container needs more.
   */
  async exceedMemory({ metadata }: Pod): Promise<void> {
    const group = containerGroupOf(metadata.uid);
    const useBytes = Number(readFileSync(join(group, 'memory.usage_in_bytes'), 'utf8'));
    for (const process of processesOf(group)) writeFileSync(`/proc/${process}/oom_score_adj`, MOST_LIKELY_VICTIM);
    writeFileSync(join(group, 'memory.limit_in_bytes'), String(useBytes + HEADROOM_BYTES));
    const eater = 'const eaten = []; for (;;) eaten.push(Buffer.alloc(1 << 20, 1));';
    await runToEnd(this.#kubectl, this.#cluster('exec', metadata.name, '--', 'node', '--eval', eater));
  }
}

interface NodeSummary {
  readonly node: { readonly memory: { readonly availableBytes: number } };
}

interface PlannedPart {
  readonly resources: { readonly cpuCores: number };
}

export interface PlanSizes {
  readonly routers: number;
  /** Of each stage, of each router. */
  readonly replicas: number;
  readonly maxBatchSize?: number;
  /** Cores of a replica, by stage; default: those of the plan. */
  readonly cpuCores?: Readonly<Record<string, number>>;
}

/** Processor time (s) that the pod has used. */
export function cpuSeconds(uid: string): number {
  return Number(readFileSync(join(groupOf(ACCOUNTING, uid), 'cpuacct.usage'), 'utf8')) / 1e9;
}

const processesOf = (group: string): readonly number[] =>
  readFileSync(join(group, 'cgroup.procs'), 'utf8').split('\n').filter(Boolean).map(Number);

/** Processes of the container of a pod. */
export const processesOfPod = (uid: string): readonly number[] => processesOf(containerGroupOf(uid));

/** Of the two containers of a pod, the one that uses more memory; the other holds the network. */
function containerGroupOf(uid: string): string {
  const group = groupOf(MEMORY, uid);
  const use = (name: string): number => Number(readFileSync(join(group, name, 'memory.usage_in_bytes'), 'utf8'));
  const containers = readdirSync(group, { withFileTypes: true }).filter((each) => each.isDirectory());
  const [most] = containers.map(({ name }) => name).sort((a, b) => use(b) - use(a));
  if (most === undefined) throw new Error(`the pod ${uid} has no container`);
  return join(group, most);
}

/** Control group of a pod, below that of its class of service. */
function groupOf(root: string, uid: string): string {
  const found = readdirSync(root, { recursive: true, encoding: 'utf8' }).find((path) => path.endsWith(`pod${uid}`));
  if (found === undefined) throw new Error(`no control group of the pod ${uid} below ${root}`);
  return join(root, found);
}

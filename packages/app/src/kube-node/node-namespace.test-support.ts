/** A namespace on the node, with the pods and requests of a suite. */
import { type EndedProgram, outputOf, runToEnd, type Tool } from '@equipoise/testkit';
import { inject } from 'vitest';
import { documentOf, equipoise } from '../equipoise.test-support.js';
import type { RunningNode } from './node-setup.test-support.js';

const node = inject('kubeNode');

/** A Kubernetes node that runs containers. */
export const realNode: Tool = {
  name: 'real-node',
  missing: node.missing ?? '',
  isPresent: () => node.missing === undefined,
};

export function runningNode(): RunningNode {
  if (node.missing !== undefined) throw new Error(node.missing);
  return node;
}

/** Runs kubectl to its end. */
export function kubectl(args: readonly string[], input?: string): Promise<EndedProgram> {
  const { kubectl: program, kubeconfig } = runningNode();
  return runToEnd(program, ['--kubeconfig', kubeconfig, ...args], input);
}

/** Runs kubectl, and throws if it fails. */
export const kube = (args: readonly string[], input?: string): Promise<string> => outputOf(kubectl(args, input));

/** Polls until `holds` is true. */
export async function eventually(what: string, holds: () => Promise<boolean>, limitMs = 300_000): Promise<void> {
  const untilMs = performance.now() + limitMs;
  while (!(await holds())) {
    if (performance.now() > untilMs) throw new Error(`${what}: not so after ${limitMs} ms`);
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
}

export interface Pod {
  readonly metadata: { readonly name: string; readonly uid: string; readonly deletionTimestamp?: string };
  readonly status: {
    readonly podIP?: string;
    readonly conditions?: readonly { readonly type: string; readonly status: string }[];
    readonly containerStatuses?: readonly {
      readonly restartCount: number;
      readonly lastState: { readonly terminated?: { readonly reason: string; readonly exitCode: number } };
    }[];
  };
}

export class NodeNamespace {
  readonly name: string;

  constructor(name: string) {
    this.name = name;
  }

  /** Refuses pods that do not meet the restricted security standard. */
  async create(): Promise<void> {
    await kube(['create', 'namespace', this.name]);
    await kube(['label', 'namespace', this.name, 'pod-security.kubernetes.io/enforce=restricted']);
  }

  /** Removes the namespace with its objects, without the grace periods of its pods. */
  async remove(): Promise<void> {
    if (node.missing !== undefined) return;
    await kube(['delete', 'namespace', this.name, '--ignore-not-found', '--wait=false']);
    await eventually(`no namespace ${this.name}`, async () => {
      await this.kube('delete', 'pods', '--all', '--grace-period=1', '--wait=false');
      return (await kube(['get', 'namespace', this.name, '--ignore-not-found'])).trim() === '';
    });
  }

  /** kubectl in this namespace. */
  kube(...args: readonly string[]): Promise<string> {
    return kube(['--namespace', this.name, ...args]);
  }

  async apply(object: unknown): Promise<void> {
    await kube(['--namespace', this.name, 'apply', '-f', '-'], JSON.stringify(object));
  }

  /** A command of `equipoise k8s` in this namespace. */
  k8s(command: string, ...args: readonly string[]): ReturnType<typeof equipoise> {
    const cluster = command === 'pipeline' ? [] : ['--kubeconfig', runningNode().kubeconfig];
    return equipoise(process.cwd(), 'k8s', command, ...args, '--namespace', this.name, ...cluster, '--json');
  }

  /** Applies a plan of the pipeline and waits until it runs. */
  async runPlan(planFile: string, image = runningNode().image): Promise<void> {
    const { pipeline } = runningNode();
    const applied = await this.k8s('apply', pipeline, '--plan', planFile, '--image', image);
    if (applied.exitCode !== 0) throw new Error(applied.stderr);
    await this.untilPlanRuns();
  }

  untilPlanRuns(): Promise<void> {
    return eventually('the plan runs', async () => (await this.k8s('status', 'language')).exitCode === 0);
  }

  async pods(selector: string): Promise<readonly Pod[]> {
    const text = await this.kube('get', 'pods', '--selector', selector, '--output', 'json');
    return (JSON.parse(text) as { readonly items: readonly Pod[] }).items;
  }

  /** The first pod of a stage, or of the router. */
  async podOf(part: string): Promise<Pod> {
    const selector = part === 'router' ? 'equipoise.dev/part=router' : `equipoise.dev/stage=${part}`;
    const [pod] = (await this.pods(selector)).filter(({ metadata }) => metadata.deletionTimestamp === undefined);
    if (pod === undefined) throw new Error(`there is no pod of ${part}`);
    return pod;
  }

  /** Resolves when the pod is gone and the plan runs without it. */
  async untilReplaced({ metadata }: Pod): Promise<void> {
    await this.kube('wait', '--for=delete', `pod/${metadata.name}`, '--timeout=300s');
    await this.untilPlanRuns();
  }

  /** Address of the router's Service for processes on this machine. */
  async routerUrl(): Promise<string> {
    const address = await this.kube('get', 'service', 'language', '--output', 'jsonpath={.spec.clusterIP}');
    return `http://${address}:8080`;
  }

  /** Runs a program of Node in a pod; returns its exit code and output. */
  runInPod(pod: string, program: string): Promise<EndedProgram> {
    const command = ['node', '--input-type=module', '--eval', program];
    return kubectl(['--namespace', this.name, 'exec', pod, '--', ...command]);
  }

  /** Starts a pod that does nothing. */
  async startClient(name: string): Promise<void> {
    const securityContext = {
      allowPrivilegeEscalation: false,
      runAsNonRoot: true,
      capabilities: { drop: ['ALL'] },
      seccompProfile: { type: 'RuntimeDefault' },
    };
    const container = { name: 'client', image: runningNode().image, command: ['sleep', '86400'], securityContext };
    await this.apply({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name },
      spec: { terminationGracePeriodSeconds: 0, containers: [container] },
    });
    await this.kube('wait', '--for=condition=Ready', `pod/${name}`, '--timeout=300s');
  }
}

/** A feasible plan for a load, with its number of replicas of each stage replaced. */
export async function planDocument(arrivalRps: number, replicas: number): Promise<string> {
  const planned = await equipoise(
    process.cwd(),
    'plan',
    runningNode().pipeline,
    '--arrival-rps',
    String(arrivalRps),
    '--json',
  );
  const document = documentOf(planned) as { plan: { stages: Record<string, { replicas: number }[]> } };
  for (const stage of Object.values(document.plan.stages)) for (const variant of stage) variant.replicas = replicas;
  return JSON.stringify(document);
}

/**
 * Faults of router pods and stage pods on a real Kubernetes node, while clients send requests through the Service.
 * Each fault is repeated. Its requests are those from the fault until all pods run again.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { SeededRng } from '@equipoise/core/model';
import { eventually } from '../../packages/adapter-kubernetes/src/test-cluster/cluster-objects.test-support.js';
import { isReady, NodeWorkload, type Pod, routerPods, stagePods } from './node-workload.js';
import { type RoutedRequest, RouterLoad } from './router-load.js';
import { ROUTED_SLO_MS, ROUTERS_IMAGE, routedPipeline } from './routers-pipeline.js';

export interface RoutersQuestion {
  /** Kubeconfig of the node, on which the image is imported. */
  readonly kubeconfig: string;
  readonly arrivalRps: number;
  /** Repetitions of each fault. */
  readonly rounds: number;
  readonly seed: number;
  readonly onProgress?: (line: string) => void;
}

export interface FaultFigures {
  readonly fault: string;
  readonly rounds: number;
  readonly sent: number;
  readonly lost: number;
  readonly refused: number;
  /** Latencies of the answered requests; null if there are none. */
  readonly p50Ms: number | null;
  readonly p99Ms: number | null;
  readonly slowestMs: number | null;
  /** Seconds of a round. */
  readonly roundS: readonly number[];
  readonly problems: readonly string[];
}

export interface FaultsFigures {
  readonly arrivalRps: number;
  readonly sloMs: number;
  readonly sent: number;
  readonly lost: number;
  readonly refused: number;
  readonly p50Ms: number | null;
  readonly p99Ms: number | null;
  readonly faults: readonly FaultFigures[];
}

export interface Fault {
  readonly name: string;
  readonly happen: (round: number) => Promise<void>;
}

/** Requests in the time after a fault, when all pods run again. */
const AFTER_MS = 2_000;
const LIMIT_MS = 300_000;
const STAGE = 'language';

/** Faults of the pods of two routers, each with one replica of each stage. */
export function measureRouterFaults(question: RoutersQuestion): Promise<FaultsFigures> {
  return withLoad('two-routers', question, { routers: 2, replicas: 1 }, (workload, plans) => {
    const routerOf = (round: number): Promise<Pod> => workload.pod(routerPods(round % 2));
    return [
      {
        name: 'router pod deleted',
        happen: async (round) => replacedAfter(workload, await routerOf(round), (pod) => remove(workload, pod)),
      },
      {
        name: 'router pod evicted',
        happen: async (round) => replacedAfter(workload, await routerOf(round), (pod) => workload.evict(pod)),
      },
      {
        name: 'both routers rolled out (pod template)',
        happen: async () =>
          replacedAfter(workload, await routerOf(0), async () => {
            await workload.kube('rollout', 'restart', 'deployment', '--selector', routerPods());
          }),
      },
      {
        name: 'plan changed (all pods rolled out)',
        happen: async (round) => workload.apply(plans[(round + 1) % 2] ?? ''),
      },
      {
        name: 'router pod killed for its memory',
        happen: async (round) => killedForMemory(workload, await routerOf(round)),
      },
    ];
  });
}

/** Faults of the pods of one router, with two replicas of each stage. */
export function measureStageFaults(question: RoutersQuestion): Promise<FaultsFigures> {
  return withLoad('one-router', question, { routers: 1, replicas: 2 }, (workload) => {
    const stage = (): Promise<Pod> => workload.pod(stagePods(STAGE));
    const router = (): Promise<Pod> => workload.pod(routerPods());
    const restart = (selector: string) => async (): Promise<void> => {
      await workload.kube('rollout', 'restart', 'deployment', '--selector', selector);
    };
    return [
      {
        name: 'stage pod deleted',
        happen: async () => replacedAfter(workload, await stage(), (pod) => remove(workload, pod)),
      },
      {
        name: 'stage pod evicted',
        happen: async () => replacedAfter(workload, await stage(), (pod) => workload.evict(pod)),
      },
      {
        name: 'all pods of the stage deleted',
        happen: async () => {
          const all = ['delete', 'pod', '--selector', stagePods(STAGE), '--wait=false'];
          await replacedAfter(workload, await stage(), async () => {
            await workload.kube(...all);
          });
        },
      },
      {
        name: 'stage rolled out',
        happen: async () => replacedAfter(workload, await stage(), restart(stagePods(STAGE))),
      },
      { name: 'router rolled out', happen: async () => replacedAfter(workload, await router(), restart(routerPods())) },
      {
        name: 'only router pod deleted',
        happen: async () => replacedAfter(workload, await router(), (pod) => remove(workload, pod)),
      },
      {
        name: 'only router pod killed for its memory',
        happen: async () => killedForMemory(workload, await router()),
      },
    ];
  });
}

async function remove(workload: NodeWorkload, { metadata }: Pod): Promise<void> {
  await workload.kube('delete', 'pod', metadata.name, '--wait=false');
}

/** Resolves when the pod is gone and all pods are ready. */
async function replacedAfter(workload: NodeWorkload, pod: Pod, end: (pod: Pod) => Promise<void>): Promise<void> {
  await end(pod);
  await workload.kube('wait', '--for=delete', `pod/${pod.metadata.name}`, '--timeout=300s');
  await workload.planRuns();
}

/** Resolves when the container of the pod has started again. */
async function killedForMemory(workload: NodeWorkload, { metadata }: Pod): Promise<void> {
  const find = async (): Promise<Pod> => {
    const all = await workload.pods(routerPods());
    const found = all.find((each) => each.metadata.uid === metadata.uid);
    if (found === undefined) throw new Error(`the pod ${metadata.name} is gone`);
    return found;
  };
  const restarts = ({ status }: Pod): number => status.containerStatuses?.[0]?.restartCount ?? 0;
  const pod = await find();
  await workload.exceedMemory(pod);
  await eventually(async () => {
    const now = await find();
    return restarts(now) > restarts(pod) && isReady(now);
  }, LIMIT_MS);
  const reason = (await find()).status.containerStatuses?.[0]?.lastState.terminated?.reason;
  if (reason !== 'OOMKilled') throw new Error(`${metadata.name} ended as ${reason}`);
}

async function withLoad(
  namespace: string,
  question: RoutersQuestion,
  sizes: { readonly routers: number; readonly replicas: number },
  faultsOf: (workload: NodeWorkload, plans: readonly string[]) => readonly Fault[],
): Promise<FaultsFigures> {
  const { kubeconfig, arrivalRps, seed } = question;
  const pipeline = routedPipeline();
  const workload = new NodeWorkload({ kubeconfig, namespace, pipeline, image: ROUTERS_IMAGE });
  const folder = mkdtempSync(join(tmpdir(), 'equipoise-routers-'));
  try {
    await workload.create();
    const plans = [1, 2].map(async (maxBatchSize) =>
      workload.plan(join(folder, `plan-${maxBatchSize}.json`), arrivalRps, { ...sizes, maxBatchSize }),
    );
    const [first = '', second = ''] = await Promise.all(plans);
    await workload.apply(first);
    const load = new RouterLoad({
      url: await workload.url(),
      arrivalRps,
      rng: new SeededRng(seed),
      hasOwnConnections: true,
    });
    return await underFaults(load, faultsOf(workload, [first, second]), { ...question, sloMs: ROUTED_SLO_MS });
  } finally {
    await workload.remove();
    rmSync(folder, { recursive: true, force: true });
  }
}

interface Span {
  readonly name: string;
  readonly from: number;
  readonly to: number;
  readonly seconds: number;
}

type FaultsQuestion = Pick<RoutersQuestion, 'arrivalRps' | 'rounds' | 'onProgress'> & { readonly sloMs: number };

/** Lets all faults happen under the load, and stops it. */
export async function underFaults(
  load: RouterLoad,
  faults: readonly Fault[],
  { arrivalRps, sloMs, rounds, onProgress = () => {} }: FaultsQuestion,
): Promise<FaultsFigures> {
  const spans: Span[] = [];
  let requests: readonly RoutedRequest[] = [];
  try {
    await sleep(10_000);
    for (const { name, happen } of faults) {
      for (let round = 0; round < rounds; round++) {
        const from = load.sent;
        const beganMs = performance.now();
        await happen(round);
        const seconds = (performance.now() - beganMs) / 1000;
        await sleep(AFTER_MS);
        spans.push({ name, from, to: load.sent, seconds });
        onProgress(`${name}, round ${round + 1}: ${seconds.toFixed(1)} s`);
      }
    }
  } finally {
    requests = await load.stop();
    for (const { problem, dueMs } of requests)
      if (problem !== undefined) onProgress(`${(dueMs / 1000).toFixed(2)} s: ${problem}`);
  }
  const { sent, lost, refused, p50Ms, p99Ms } = countsOf(requests);
  return {
    ...{ arrivalRps, sloMs, sent, lost, refused, p50Ms, p99Ms },
    faults: faults.map(({ name }) => {
      const own = spans.filter((span) => span.name === name);
      const during = own.flatMap(({ from, to }) => requests.slice(from, to));
      return { fault: name, rounds: own.length, ...countsOf(during), roundS: own.map(({ seconds }) => seconds) };
    }),
  };
}

export function countsOf(requests: readonly RoutedRequest[]) {
  const answered = requests.filter(({ kind }) => kind === 'answered');
  const sorted = answered.map(({ latencyMs }) => latencyMs).sort((a, b) => a - b);
  const quantileMs = (fraction: number): number | null => sorted[Math.ceil(fraction * sorted.length) - 1] ?? null;
  return {
    sent: requests.length,
    lost: requests.filter(({ kind }) => kind === 'lost').length,
    refused: requests.filter(({ kind }) => kind === 'refused').length,
    ...{ p50Ms: quantileMs(0.5), p99Ms: quantileMs(0.99), slowestMs: quantileMs(1) },
    problems: [...new Set(requests.flatMap(({ problem }) => problem ?? []))].slice(0, 10),
  };
}

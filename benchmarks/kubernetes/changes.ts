/**
 * Changes of variant, batch size and replicas by the operator, under an open-loop load. Pods are processes of this
 * machine: MLServer for the stages, Equipoise for the router. Clients use the Service of the router.
 */
import { rmSync } from 'node:fs';
import { type Rng, SeededRng } from '@equipoise/core/model';
import {
  deployments,
  isStage,
  type ObservedPod,
  pipelines,
  pods,
} from '../../packages/adapter-kubernetes/src/cluster/observed-objects.js';
import { eventually } from '../../packages/adapter-kubernetes/src/test-cluster/cluster-objects.test-support.js';
import { ToldPlans } from '../../packages/adapter-kubernetes/src/test-cluster/memory/pipeline-fixture.test-support.js';
import { PodProcesses } from '../../packages/adapter-kubernetes/src/test-cluster/pod-processes.test-support.js';
import { ServiceNames } from '../../packages/adapter-kubernetes/src/test-cluster/service-names.test-support.js';
import { type BenchCluster, human, operatorOn, startCluster } from './cluster.js';
import {
  type Choices,
  layered,
  PIPELINE,
  planOf,
  podFolders,
  SLO_MS,
  STAGES,
  type StageChoice,
  VARIANTS,
  WIDTH,
} from './mlserver-pipeline.js';
import { type LoadedRequest, RunningLoad } from './service-load.js';

export interface ChangesQuestion {
  readonly changes: number;
  readonly arrivalRps: number;
  readonly seed: number;
  readonly onProgress?: (line: string) => void;
}

export type ChangeKind = 'variant' | 'batch' | 'replicas';

export interface ChangesFigures {
  readonly cluster: BenchCluster['kind'];
  readonly changes: Readonly<Record<ChangeKind, number>>;
  /** Seconds from the decision until the plan runs and no old object is left, by change. */
  readonly changeS: readonly number[];
  readonly sent: number;
  readonly answered: number;
  readonly dropped: number;
  readonly failed: number;
  /** Distinct reasons of requests without an answer. */
  readonly problems: readonly string[];
  readonly withinSlo: number;
  readonly medianMs: number;
  readonly p99Ms: number;
  readonly slowestMs: number;
  /** Container processes that started, and those that ended by themselves. */
  readonly startedContainers: number;
  readonly crashedContainers: number;
  /** Maximum cores that pods of stages held, and the bound: budget plus surge. */
  readonly mostCpuCores: number;
  readonly boundCpuCores: number;
}

const ROUTER_PORT = 8080;
const MOST_REPLICAS = 2;
const BATCH_SIZES = [1, 2, 4];
const CPU_CORES = 0.5;
const BUDGET_CPU_CORES = 2;
/** `control.surge` has its default: one replica of the largest kind. */
const SURGE_CPU_CORES = 0.5;
const CHANGE_LIMIT_MS = 300_000;
const WATCH_EVERY_MS = 50;

export async function measureChanges({
  changes,
  arrivalRps,
  seed,
  onProgress = () => {},
}: ChangesQuestion): Promise<ChangesFigures> {
  const rng = new SeededRng(seed);
  const cluster = await startCluster();
  const folders = podFolders();
  const host = new PodProcesses(cluster.admin, folders);
  cluster.hostPods(host);
  const abort = new AbortController();
  const names = new ServiceNames(cluster.admin, cluster.namespace, folders.names);
  let choices: Choices = {
    first: { variant: 'small', replicas: 1, maxBatchSize: 1 },
    second: { variant: 'small', replicas: 1, maxBatchSize: 1 },
  };
  const source = new ToldPlans(planOf(choices));
  const failures: string[] = [];
  const running = [names.run(abort.signal), operatorOn(cluster, source, failures).run(abort.signal)];
  const watched = new WatchedPods(cluster);
  try {
    await cluster.admin.create(pipelines, layered(cluster.namespace, BUDGET_CPU_CORES), human);
    await settled(cluster, planOf(choices));
    onProgress(`serving on a cluster (${cluster.kind})`);
    const load = new RunningLoad(loadOn(names, arrivalRps, rng.fork('load')));
    watched.start();
    const counts: Record<ChangeKind, number> = { variant: 0, batch: 0, replicas: 0 };
    const changeS: number[] = [];
    while (changeS.length < changes) {
      const next = changed(choices, rng);
      choices = next.choices;
      counts[next.kind] += 1;
      const decidedAtMs = performance.now();
      source.decide(`${cluster.namespace}/${PIPELINE}`, planOf(choices));
      await settled(cluster, planOf(choices));
      changeS.push((performance.now() - decidedAtMs) / 1000);
      onProgress(
        `${changeS.length} of ${changes}: ${next.kind} in ${changeS.at(-1)?.toFixed(1)} s, ${load.sent} requests, ${host.ended.length} crashes`,
      );
    }
    const requests = await load.stop();
    await watched.stop();
    if (failures.length > 0) onProgress(`the operator tried again: ${failures.slice(0, 5).join('; ')}`);
    for (const lastWords of host.ended) onProgress(lastWords);
    return {
      ...{ cluster: cluster.kind, changes: counts, changeS },
      ...figuresOf(requests),
      ...{ startedContainers: host.started, crashedContainers: host.ended.length },
      ...{ mostCpuCores: watched.mostPods * CPU_CORES, boundCpuCores: BUDGET_CPU_CORES + SURGE_CPU_CORES },
    };
  } finally {
    await watched.stop();
    abort.abort();
    await Promise.all(running);
    await host.kill();
    await cluster.stop();
    rmSync(folders.root, { recursive: true, force: true });
  }
}

/** Resolves when exactly the plan runs. */
async function settled({ admin, namespace }: BenchCluster, plan: ReturnType<typeof planOf>): Promise<void> {
  const wanted = JSON.stringify(plan.stages);
  await eventually(async () => {
    const pipeline = await admin.get({ type: pipelines, namespace, name: PIPELINE });
    const { plan: told, conditions = [] } = pipeline?.status ?? {};
    const isReady = conditions.some(({ type, status }) => type === 'Ready' && status === 'True');
    if (!isReady || canonical(told?.stages) !== canonical(JSON.parse(wanted))) return false;
    const page = await admin.list({ type: deployments, namespace });
    return page.kind === 'page' && page.objects.length === STAGES.length + 1;
  }, CHANGE_LIMIT_MS);
}

const canonical = (value: unknown): string =>
  JSON.stringify(value, (_key, each: unknown) =>
    typeof each === 'object' && each !== null && !Array.isArray(each)
      ? Object.fromEntries(Object.entries(each).sort(([left], [right]) => (left < right ? -1 : 1)))
      : each,
  );

const oneOf = <Item>(items: readonly Item[], rng: Rng): Item => items[Math.floor(rng.next() * items.length)] as Item;

/** Changes one stage: variant, batch size or number of replicas. */
function changed(choices: Choices, rng: Rng): { readonly choices: Choices; readonly kind: ChangeKind } {
  const stage = oneOf(STAGES, rng);
  const before = choices[stage];
  const kind = oneOf(['variant', 'batch', 'replicas'] as const, rng);
  const other = <Item>(items: readonly Item[], present: Item): Item =>
    oneOf(
      items.filter((item) => item !== present),
      rng,
    );
  const replicas = 1 + Math.floor(rng.next() * MOST_REPLICAS);
  const to: StageChoice = {
    ...before,
    ...(kind === 'variant' && { variant: other(VARIANTS, before.variant), replicas }),
    ...(kind === 'batch' && { maxBatchSize: other(BATCH_SIZES, before.maxBatchSize) }),
    ...(kind === 'replicas' && { replicas: MOST_REPLICAS + 1 - before.replicas }),
  };
  return { choices: { ...choices, [stage]: to }, kind };
}

function loadOn(names: ServiceNames, arrivalRps: number, rng: Rng) {
  const row = Array.from({ length: WIDTH }, (_, index) => index / WIDTH);
  const inputOf = (number: number) => ({
    name: 'x',
    datatype: 'FP32',
    shape: [WIDTH],
    data: [number, ...row.slice(1)],
  });
  return {
    addresses: () => names.addressesOf(PIPELINE),
    ...{ port: ROUTER_PORT, path: `/v2/models/${PIPELINE}/infer`, arrivalRps, rng },
    body: (number: number) => JSON.stringify({ inputs: [inputOf(number)] }),
    isOwn: (number: number, text: string) => {
      const { outputs } = JSON.parse(text) as { readonly outputs: readonly { readonly data: readonly number[] }[] };
      return outputs[0]?.data[0] === number;
    },
  };
}

function figuresOf(requests: readonly LoadedRequest[]) {
  const of = (kind: LoadedRequest['kind']) => requests.filter((request) => request.kind === kind);
  const answered = of('answered');
  const sorted = answered.map(({ latencyMs }) => latencyMs).sort((a, b) => a - b);
  const quantileMs = (fraction: number): number => sorted[Math.ceil(fraction * sorted.length) - 1] ?? Number.NaN;
  return {
    ...{ sent: requests.length, answered: answered.length, dropped: of('dropped').length, failed: of('failed').length },
    problems: [...new Set(requests.flatMap(({ problem }) => problem ?? []))],
    withinSlo: answered.filter(({ latencyMs }) => latencyMs <= SLO_MS).length,
    ...{ medianMs: quantileMs(0.5), p99Ms: quantileMs(0.99), slowestMs: quantileMs(1) },
  };
}

/** Maximum pods of stages at a time, terminating ones included. */
class WatchedPods {
  mostPods = 0;
  readonly #cluster: BenchCluster;
  #watching: Promise<void> | undefined;
  #isStopped = false;

  constructor(cluster: BenchCluster) {
    this.#cluster = cluster;
  }

  start(): void {
    this.#watching = this.#watch();
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    await this.#watching;
  }

  async #watch(): Promise<void> {
    const { admin, namespace } = this.#cluster;
    while (!this.#isStopped) {
      const page = await admin.list<ObservedPod>({ type: pods, namespace });
      if (page.kind === 'page') this.mostPods = Math.max(this.mostPods, page.objects.filter(isStage).length);
      await new Promise((resolve) => setTimeout(resolve, WATCH_EVERY_MS));
    }
  }
}

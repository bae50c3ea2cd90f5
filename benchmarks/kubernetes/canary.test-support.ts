/** A pipeline with canaries under load, on routers that really serve. Pods are processes of this machine. */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Plan, SeededRng, type StagePlan, stageId, variantId } from '@equipoise/core/model';
import { API_VERSION, PIPELINE_KIND } from '@equipoise/pipeline-file';
import { expect } from 'vitest';
import {
  deployments,
  type InferencePipeline,
  isCanaryRouter,
  isRouter,
  pipelines,
} from '../../packages/adapter-kubernetes/src/cluster/observed-objects.js';
import { askRouter } from '../../packages/adapter-kubernetes/src/observe/ask-router.js';
import { RouterWatch } from '../../packages/adapter-kubernetes/src/observe/router-watch.js';
import type { PipelineSignals, PlanAnswer } from '../../packages/adapter-kubernetes/src/plan/planning.js';
import type { ObservedPipeline } from '../../packages/adapter-kubernetes/src/reconcile/reconciliation.js';
import { eventually } from '../../packages/adapter-kubernetes/src/test-cluster/cluster-objects.test-support.js';
import { ToldPlans } from '../../packages/adapter-kubernetes/src/test-cluster/memory/pipeline-fixture.test-support.js';
import {
  loopbackOf,
  PodProcesses,
} from '../../packages/adapter-kubernetes/src/test-cluster/pod-processes.test-support.js';
import { realClock } from '../../packages/adapter-kubernetes/src/test-cluster/real-clock.test-support.js';
import { ServiceNames } from '../../packages/adapter-kubernetes/src/test-cluster/service-names.test-support.js';
import { human, operatorOn, startCluster } from './cluster.js';
import { type LoadedRequest, RunningLoad } from './service-load.js';

export const PIPELINE = 'tried';
const SLO_MS = 1_000;
const ARRIVAL_RPS = 30;
const WARM_UP_MS = 5_000;
/** Batch time of one item; the time of `slow` exceeds the SLO. */
const MEAN_MS = { small: 10, large: 20, slow: 2_500 } as const;
export type VariantName = keyof typeof MEAN_MS;

const resources = { cpuCores: 0.5, memoryBytes: 100_000_000 };

const pipelineIn = (namespace: string): InferencePipeline => ({
  apiVersion: API_VERSION,
  kind: PIPELINE_KIND,
  metadata: { name: PIPELINE, namespace },
  spec: {
    slo: { latencyMs: SLO_MS, percentile: 99 },
    budget: { cpuCores: 4 },
    control: { mode: 'auto' },
    sources: [{ name: 'x', datatype: 'FP32', shape: [1] }],
    stages: [
      {
        ...{ name: 'only', kind: 'model' },
        variants: Object.entries(MEAN_MS).map(([name, meanMs]) => ({
          ...{ name, accuracy: { value: 0.5, metric: 'top1' }, resources },
          profile: [{ cpuCores: resources.cpuCores, batchSize: 1, meanMs }],
        })),
      },
    ],
  },
});

function planOf(variant: VariantName): Plan {
  const only: StagePlan = {
    ...{ variantId: variantId(variant), resources: { ...resources, gpus: 0 }, replicas: 2 },
    ...{ maxBatchSize: 1, maxBatchWaitMs: 0, trafficFraction: 1 },
  };
  const predicted = { latencyMs: 50, percentile: 99, pas: 0.5, capacityRps: 60, cpuCores: 1, costPerHour: 1 };
  return { stages: { [stageId('only')]: [only] }, predicted };
}

/** A canary step takes a third of its shortest time. The outcomes that it needs are those of real requests. */
const PACE = 3;
/** Longer than a step, and shorter than the time in which a router must become ready. */
const PACED_MS = 30_000;

/** Source of given plans, with signals of real routers. */
class WatchedPlans extends ToldPlans {
  #watch: RouterWatch | undefined;
  readonly #signal: AbortSignal;

  constructor(plan: Plan, signal: AbortSignal) {
    super(plan);
    this.#signal = signal;
  }

  override planOf(_key = '', _spec: unknown = undefined, view?: ObservedPipeline): Promise<PlanAnswer> {
    const routers = view?.pods.filter((pod) => isRouter(pod) || isCanaryRouter(pod)) ?? [];
    if (this.#watch === undefined) {
      const ask = (url: string, signal: AbortSignal) =>
        askRouter(
          url.replace(/\/\/[\d.]+/, (address) => `//${loopbackOf(address.slice(2))}`),
          signal,
        );
      this.#watch = new RouterWatch({ clock: realClock, ask }, routers, () => {});
      void this.#watch.run(this.#signal);
    } else this.#watch.updatePods(routers);
    return super.planOf();
  }

  override signalsOf(): PipelineSignals {
    const sides = this.#watch?.sides;
    if (sides === undefined) return {};
    const { observedMs } = sides;
    return { sides: { ...sides, observedMs: Math.max(observedMs, Math.min(PACE * observedMs, PACED_MS)) } };
  }
}

export interface CanaryRig {
  /** Status of the pipeline. */
  status(): Promise<InferencePipeline['status']>;
  isThere(variant: VariantName): Promise<boolean>;
  isSettled(): Promise<boolean>;
  decide(variant: VariantName): void;
  /** Stops the load. Expects more than `fewest` requests, all answered, and no failure of the operator. */
  endLoad(fewest: number): Promise<void>;
}

/** Runs `work` on a pipeline that serves `small` under load. */
export async function withCanaryRig(work: (rig: CanaryRig) => Promise<void>): Promise<void> {
  const root = mkdtempSync(join(tmpdir(), 'equipoise-pods-'));
  const folders = { pipeline: join(root, 'pipeline'), state: join(root, 'pods'), names: join(root, 'names.json') };
  mkdirSync(folders.pipeline);
  mkdirSync(folders.state);
  const cluster = await startCluster();
  const { admin, namespace } = cluster;
  const host = new PodProcesses(admin, folders);
  cluster.hostPods(host);
  const abort = new AbortController();
  const names = new ServiceNames(admin, namespace, folders.names);
  const source = new WatchedPlans(planOf('small'), abort.signal);
  const failures: string[] = [];
  const running = [names.run(abort.signal), operatorOn(cluster, source, failures).run(abort.signal)];
  const status = async () => (await admin.get({ type: pipelines, namespace, name: PIPELINE }))?.status;
  const isThere = async (variant: VariantName) =>
    (await admin.get({ type: deployments, namespace, name: `${PIPELINE}--only--${variant}` })) !== undefined;
  const isSettled = async () =>
    (await status())?.conditions?.some(({ type, status: holds }) => type === 'Ready' && holds === 'True') ?? false;
  try {
    await admin.create(pipelines, pipelineIn(namespace), human);
    await eventually(isSettled, 120_000);
    const load = new RunningLoad({
      addresses: () => names.addressesOf(PIPELINE),
      ...{ port: 8080, path: `/v2/models/${PIPELINE}/infer`, arrivalRps: ARRIVAL_RPS, rng: new SeededRng(3) },
      body: () => JSON.stringify({ inputs: [{ name: 'x', datatype: 'FP32', shape: [1], data: [1] }] }),
      isOwn: (_, text) => text.includes(`"model_name":"${PIPELINE}"`),
    });
    await new Promise((resolve) => setTimeout(resolve, WARM_UP_MS));
    const decide = (variant: VariantName) => source.decide(`${namespace}/${PIPELINE}`, planOf(variant));
    const endLoad = async (fewest: number) => {
      expectAnswers(await load.stop(), fewest);
      expect(failures).toEqual([]);
    };
    await work({ status, isThere, isSettled, decide, endLoad });
  } finally {
    abort.abort();
    await Promise.all(running);
    await host.kill();
    await cluster.stop();
    rmSync(root, { recursive: true, force: true });
  }
}

function expectAnswers(requests: readonly LoadedRequest[], fewest: number): void {
  expect(requests.filter(({ kind }) => kind === 'failed').map(({ problem }) => problem)).toEqual([]);
  expect(requests.length).toBeGreaterThan(fewest);
  // A busy router drops single requests. A loss of a tenth during some seconds would exceed this bar.
  const missed = requests.filter(({ kind, latencyMs }) => kind !== 'answered' || latencyMs > SLO_MS).length;
  expect(missed / requests.length).toBeLessThan(0.02);
}

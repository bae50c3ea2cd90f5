/**
 * Entry `@equipoise/adapter-kubernetes/test-cluster`, for tests of other packages: an operator over a cluster in memory,
 * in real time, with pipelines whose routers get a load.
 */
import { SeededRng } from '@equipoise/core/model';
import { written } from '../../api/conformance/subject.test-support.js';
import { MemoryKube } from '../../api/memory/memory-kube.test-support.js';
import { MemoryKubeApi } from '../../api/memory/memory-kube-api.test-support.js';
import { isRouter, type ObservedPod, pipelines, pods } from '../../cluster/observed-objects.js';
import { Operator } from '../../deploy/operator.js';
import { pageText } from '../../observe/router-pages.test-support.js';
import { FollowedPlans } from '../../plan/followed-plans.js';
import type { PlanLoopDeps } from '../../plan/plan-loop.js';
import { realClock } from '../real-clock.test-support.js';
import { clusterResources, MemoryCluster } from './memory-cluster.test-support.js';
import { images, shelf } from './pipeline-fixture.test-support.js';

const namespace = 'n';
const human = { fieldManager: 'kubectl' };

interface Load {
  arrived: number;
  countedAtMs: number;
}

export class PageCluster {
  /** Requests per second that the router of each pipeline gets. */
  rps = 20;
  readonly failures: string[] = [];
  readonly plans: FollowedPlans;
  readonly #kube = new MemoryKube(realClock, clusterResources);
  readonly #cluster = new MemoryCluster(this.#kube, realClock);
  readonly #admin = new MemoryKubeApi(this.#kube);
  readonly #abort = new AbortController();
  readonly #loads = new Map<string, Load>();
  #running: Promise<void> | undefined;

  constructor({ plannerFor, report }: Pick<PlanLoopDeps, 'plannerFor' | 'report'>) {
    const deps = { api: new MemoryKubeApi(this.#kube), clock: realClock, nowEpochMs: Date.now };
    this.plans = new FollowedPlans({ ...deps, ask: (url) => this.#page(url), plannerFor, report });
    this.#running = new Operator({
      ...{ ...deps, rng: new SeededRng(1), source: this.plans },
      imagesOf: () => images,
      onFailure: (what, error) => this.failures.push(`${what}: ${String(error)}`),
    }).run(this.#abort.signal);
  }

  async create(name: string): Promise<void> {
    const { metadata: _, ...rest } = shelf({ name });
    written(await this.#admin.create(pipelines, { ...rest, metadata: { name, namespace } }, human));
  }

  async remove(name: string): Promise<void> {
    await this.#admin.delete({ type: pipelines, namespace, name });
  }

  async close(): Promise<void> {
    this.#abort.abort();
    await this.#running;
    await this.plans.close();
    this.#cluster.stop();
  }

  /** Page of the router at an address, with a steady load since its first page. */
  async #page(url: string): Promise<string> {
    const list = await this.#admin.list({ type: pods, namespace });
    const all = (list.kind === 'page' ? list.objects : []) as readonly ObservedPod[];
    const router = all.find((pod) => isRouter(pod) && url.includes(`//${pod.status?.podIP}:`));
    if (router === undefined) throw new Error(`no router at ${url}`);
    const pipeline = router.metadata.labels?.['equipoise.dev/pipeline'] ?? '';
    const nowMs = performance.now();
    const load = this.#loads.get(router.metadata.name) ?? { arrived: 0, countedAtMs: nowMs };
    load.arrived += (this.rps * (nowMs - load.countedAtMs)) / 1000;
    load.countedAtMs = nowMs;
    this.#loads.set(router.metadata.name, load);
    const arrived = Math.round(load.arrived);
    const batch = (stage: string, variant: string, ms: number) => ({
      ...{ stage, variant, count: arrived, items: arrived, serviceS: (arrived * ms) / 1000 },
    });
    const latest = [0.25, 0.5, 1].map((s) => Math.round(s * this.rps)) as [number, number, number];
    return pageText({
      ...{ pipeline, arrived, completed: [arrived, 0, 0], latest },
      batches: [batch('detect', 'large', 30), batch('classify', 'only', 10)],
    });
  }
}

/**
 * Pods whose stages do nothing and whose routers only count. Each router shows the metrics of a router with a load, and
 * answers all other requests with 200. The newest ready router gets the whole load, as after a rollout. It forwards a
 * share of the load to the canary router.
 */
import { createServer, type Server } from 'node:http';
import { isCanaryRouter, isRouter } from '../cluster/observed-objects.js';
import { pageText } from '../observe/router-pages.test-support.js';
import { shareOf } from '../reconcile/canary-router.js';
import type { HostedPod, PodHost } from './pod-host.test-support.js';

const PORT = 8080;
const WORKERS = 4;
/** Other test processes have pods with the same addresses. Concurrent workers of one run have different networks. */
export const podNetwork = 1 + WORKERS * (process.pid % 60) + (Number(process.env['VITEST_POOL_ID'] ?? 0) % WORKERS);

interface Router {
  readonly server: Server;
  readonly url: string;
  readonly pipeline: string;
  readonly isCanary: boolean;
  /** Fraction of requests that the router forwards. */
  readonly share: number;
  arrived: number;
  late: number;
  passedOn: number;
  countedAtMs: number;
}

export class StandInRouters implements PodHost {
  /** Requests per second that the pipeline gets. */
  rps = 0;
  /** Fraction of these requests that misses the SLO. */
  lateFraction = 0;
  /** Service time (ms) of each batch, by `STAGE/VARIANT`. Each request is a batch of one. */
  serviceMs: Readonly<Record<string, number>> = {};
  /** True to show metrics. */
  showsMetrics = true;
  /** Metrics on the page that an operator ignores. */
  restOfPage = '';
  readonly #routers = new Map<string, Router>();

  start(pod: HostedPod, podIp: string, changed: (isReady: boolean) => void): void {
    if (!isRouter(pod) && !isCanaryRouter(pod)) {
      changed(true);
      return;
    }
    const server = createServer((request, response) => {
      const isPage = request.url?.startsWith('/metrics') === true;
      if (isPage && !this.showsMetrics) response.destroy();
      else response.writeHead(200).end(isPage ? this.#page(router) : 'answered');
    });
    const address = podIp.replace(/^10\.\d+\./, `127.${podNetwork}.`);
    const url = `http://${address}:${PORT}`;
    const router: Router = {
      pipeline: pod.metadata.labels?.['equipoise.dev/pipeline'] ?? '',
      ...{ server, url, isCanary: isCanaryRouter(pod), share: shareOf(pod) },
      ...{ arrived: 0, late: 0, passedOn: 0, countedAtMs: performance.now() },
    };
    server.listen(PORT, address, () => {
      this.#count();
      this.#routers.set(idOf(pod), router);
      router.countedAtMs = performance.now();
      changed(true);
    });
  }

  async stop(pod: Pick<HostedPod, 'metadata'>): Promise<void> {
    const router = this.#routers.get(idOf(pod));
    this.#count();
    this.#routers.delete(idOf(pod));
    if (router !== undefined) await closed(router.server);
  }

  /** Addresses of the routers, the newest last. */
  get urls(): readonly string[] {
    return this.#serving.map(({ url }) => url);
  }

  /** Routers that the Service leads to. */
  get #serving(): readonly Router[] {
    return [...this.#routers.values()].filter((router) => !router.isCanary);
  }

  async close(): Promise<void> {
    await Promise.all([...this.#routers.values()].map(({ server }) => closed(server)));
    this.#routers.clear();
  }

  #count(): void {
    const nowMs = performance.now();
    for (const router of this.#routers.values()) {
      const more = (this.#rpsOf(router) * (nowMs - router.countedAtMs)) / 1000;
      router.arrived += more;
      router.late += more * this.lateFraction;
      router.passedOn += (this.#givenRpsOf(router) * (nowMs - router.countedAtMs)) / 1000;
      router.countedAtMs = nowMs;
    }
  }

  #rpsOf(router: Router): number {
    const newest = this.#serving.at(-1);
    const given = newest === undefined ? 0 : this.#givenRpsOf(newest);
    if (router === newest) return this.rps - given;
    return router === this.#next ? given : 0;
  }

  get #next(): Router | undefined {
    return [...this.#routers.values()].filter(({ isCanary: isTried }) => isTried).at(-1);
  }

  #givenRpsOf(router: Router): number {
    return router === this.#serving.at(-1) && this.#next !== undefined ? this.rps * router.share : 0;
  }

  #page(router: Router): string {
    this.#count();
    const { pipeline, arrived, late, passedOn } = router;
    const latest = [0.25, 0.5, 1].map((s) => Math.round(s * this.#rpsOf(router))) as [number, number, number];
    const completed = [Math.round(arrived - late), 0, Math.round(late)] as const;
    const page = pageText({
      ...{ pipeline, arrived: Math.round(arrived), completed, passedOn: Math.round(passedOn), latest },
      batches: Object.entries(this.serviceMs).map(([name, serviceMs]) => {
        const [stage = '', variant = ''] = name.split('/');
        return { stage, variant, count: arrived, items: arrived, serviceS: (arrived * serviceMs) / 1000 };
      }),
    });
    return `${page}${this.restOfPage}`;
  }
}

const idOf = ({ metadata }: Pick<HostedPod, 'metadata'>): string => metadata.uid ?? metadata.name;

function closed(server: Server): Promise<void> {
  server.closeAllConnections();
  return new Promise((resolve) => server.close(() => resolve()));
}

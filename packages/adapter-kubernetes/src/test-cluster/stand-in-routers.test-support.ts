/**
 * Pods whose stages do nothing and whose routers only count: each shows the metrics of a router that gets a load, and answers everything
 * else with 200. The newest router that is ready gets all of the load, as behind a Service at the end of a rollout.
 */
import { createServer, type Server } from 'node:http';
import { isRouter } from '../operator/observed-objects.js';
import { pageText } from '../routers/router-pages.test-support.js';
import type { HostedPod, PodHost } from './pod-host.test-support.js';

const PORT = 8080;
/** Clusters of other test processes have pods of the same addresses. */
export const podNetwork = 1 + (process.pid % 200);

interface Router {
  readonly server: Server;
  readonly url: string;
  arrived: number;
  late: number;
  countedAtMs: number;
}

export class StandInRouters implements PodHost {
  /** Requests per second that the pipeline gets. */
  rps = 0;
  /** Share of them that takes longer than the SLO. */
  lateFraction = 0;
  /** Whether metrics are shown. */
  showsMetrics = true;
  readonly #routers = new Map<string, Router>();

  start(pod: HostedPod, podIp: string, changed: (isReady: boolean) => void): void {
    if (!isRouter(pod)) {
      changed(true);
      return;
    }
    const server = createServer((request, response) => {
      const isPage = request.url === '/metrics';
      if (isPage && !this.showsMetrics) response.destroy();
      else response.writeHead(200).end(isPage ? this.#page(router) : 'answered');
    });
    const address = podIp.replace(/^10\.\d+\./, `127.${podNetwork}.`);
    const url = `http://${address}:${PORT}`;
    const router: Router = { server, url, arrived: 0, late: 0, countedAtMs: performance.now() };
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
    return [...this.#routers.values()].map(({ url }) => url);
  }

  async close(): Promise<void> {
    await Promise.all([...this.#routers.values()].map(({ server }) => closed(server)));
    this.#routers.clear();
  }

  #count(): void {
    const nowMs = performance.now();
    const newest = [...this.#routers.values()].at(-1);
    for (const router of this.#routers.values()) {
      const more = router === newest ? (this.rps * (nowMs - router.countedAtMs)) / 1000 : 0;
      router.arrived += more;
      router.late += more * this.lateFraction;
      router.countedAtMs = nowMs;
    }
  }

  #page(router: Router): string {
    this.#count();
    const { arrived, late } = router;
    const isNewest = [...this.#routers.values()].at(-1) === router;
    const latest = [0.25, 0.5, 1].map((s) => (isNewest ? Math.round(s * this.rps) : 0)) as [number, number, number];
    const completed = [Math.round(arrived - late), 0, Math.round(late)] as const;
    return pageText({ arrived: Math.round(arrived), completed, latest });
  }
}

const idOf = ({ metadata }: Pick<HostedPod, 'metadata'>): string => metadata.uid ?? metadata.name;

function closed(server: Server): Promise<void> {
  server.closeAllConnections();
  return new Promise((resolve) => server.close(() => resolve()));
}

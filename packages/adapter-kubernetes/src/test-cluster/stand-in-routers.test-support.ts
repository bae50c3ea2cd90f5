/**
 * Pods whose stages do nothing and whose routers only count. Each router shows the metrics of a router with a load, and
 * answers all other requests with 200. The newest ready router gets the whole load, as after a rollout. It forwards a
 * share of the load to the canary router.
 */
import { createServer, type Server, type ServerResponse } from 'node:http';
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
  /** Arrivals until the end of each whole second since `startedAtMs`. */
  readonly arrivedBySecond: number[];
  readonly startedAtMs: number;
  late: number;
  passedOn: number;
  countedAtMs: number;
}

export class StandInRouters implements PodHost {
  #rps = 0;
  /** Looks of questions that wait for a burst. */
  readonly #waiting = new Set<() => void>();
  /** Fraction of these requests that misses the SLO. */
  lateFraction = 0;
  /** Service time (ms) of each batch, by `STAGE/VARIANT`. Each request is a batch of one. */
  serviceMs: Readonly<Record<string, number>> = {};
  /** True to show metrics. */
  showsMetrics = true;
  /** Metrics on the page that an operator ignores. */
  restOfPage = '';
  readonly #routers = new Map<string, Router>();

  /** Requests per second that the pipeline gets. */
  get rps(): number {
    return this.#rps;
  }

  set rps(rps: number) {
    this.#count();
    this.#rps = rps;
    for (const look of [...this.#waiting]) look();
  }

  start(pod: HostedPod, podIp: string, changed: (isReady: boolean) => void): void {
    if (!isRouter(pod) && !isCanaryRouter(pod)) {
      changed(true);
      return;
    }
    const server = createServer((request, response) => {
      const isPage = request.url?.startsWith('/metrics') === true;
      if (isPage && !this.showsMetrics) response.destroy();
      else if (isPage) this.#answer(router, new URL(request.url ?? '', 'http://router').searchParams, response);
      else response.writeHead(200).end('answered');
    });
    const address = podIp.replace(/^10\.\d+\./, `127.${podNetwork}.`);
    const url = `http://${address}:${PORT}`;
    const router: Router = {
      pipeline: pod.metadata.labels?.['equipoise.dev/pipeline'] ?? '',
      ...{ server, url, isCanary: isCanaryRouter(pod), share: shareOf(pod) },
      ...{
        arrivedBySecond: [],
        startedAtMs: performance.now(),
        arrived: 0,
        late: 0,
        passedOn: 0,
        countedAtMs: performance.now(),
      },
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
      this.#endSeconds(router, nowMs);
      const more = (this.#rpsOf(router) * (nowMs - router.countedAtMs)) / 1000;
      router.arrived += more;
      router.late += more * this.lateFraction;
      router.passedOn += (this.#givenRpsOf(router) * (nowMs - router.countedAtMs)) / 1000;
      router.countedAtMs = nowMs;
    }
  }

  #endSeconds(router: Router, nowMs: number): void {
    const { arrivedBySecond, startedAtMs, countedAtMs, arrived } = router;
    const rps = this.#rpsOf(router);
    const endMs = (): number => startedAtMs + 1000 * (arrivedBySecond.length + 1);
    while (endMs() <= nowMs)
      arrivedBySecond.push(Math.round(arrived + (rps * Math.max(0, endMs() - countedAtMs)) / 1000));
  }

  /** Answers after `wait_ms`, or at once if the rate exceeds what `most` allows. */
  #answer(router: Router, query: URLSearchParams, response: ServerResponse): void {
    const most = query.getAll('most').map((each) => each.split(':').map(Number));
    const isBurst = (): boolean => most.some(([windowS = 0, arrivals = 0]) => this.#rpsOf(router) * windowS > arrivals);
    const end = (): void => {
      clearTimeout(timer);
      this.#waiting.delete(look);
      response.writeHead(200).end(this.#page(router) + secondsOf(router, Number(query.get('seconds') ?? 0)));
    };
    const look = (): void => {
      if (isBurst()) end();
    };
    const timer = setTimeout(end, Number(query.get('wait_ms') ?? 0));
    response.on('close', () => {
      clearTimeout(timer);
      this.#waiting.delete(look);
    });
    if (most.length === 0) return;
    this.#waiting.add(look);
    look();
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

function secondsOf({ arrivedBySecond, startedAtMs }: Router, seconds: number): string {
  if (seconds === 0) return '';
  const last = arrivedBySecond.length - 1;
  const sinceMs = Math.round(performance.now() - startedAtMs - 1000 * (last + 1));
  const counts = arrivedBySecond.map((arrived, index) => arrived - (arrivedBySecond[index - 1] ?? 0)).slice(-seconds);
  return `# arrivals ${[last, sinceMs, ...counts].join(' ')}\n`;
}

const idOf = ({ metadata }: Pick<HostedPod, 'metadata'>): string => metadata.uid ?? metadata.name;

function closed(server: Server): Promise<void> {
  server.closeAllConnections();
  return new Promise((resolve) => server.close(() => resolve()));
}

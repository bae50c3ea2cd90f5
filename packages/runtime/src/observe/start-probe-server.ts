/** A port of probes: `/livez`, `/readyz` and, if there is a page, `/metrics`. */
import { BytesInFlight, InboundBytes, PageBytes } from '../data-plane/bytes-in-flight.js';
import { warnOfStageFailure } from '../data-plane/stage-failure.js';
import { warnOfDefect } from '../data-plane/turn-queue.js';
import type { Answer } from '../net/answer.js';
import type { CallRules, Purpose } from '../net/call.js';
import { smallPort } from '../net/connection-limit.js';
import { HttpCall, type HttpExchange } from '../net/http-call.js';
import { startHttpServer } from '../net/http-server.js';
import type { ListeningPlace } from '../net/listen.js';
import { type MetricsPage, SharedPage } from '../net/metrics-page.js';
import { type Route, Router } from '../net/router.js';

export interface ProbeServerOptions extends ListeningPlace {
  /** Default: live as long as the port answers. */
  readonly isLive?: () => boolean;
  readonly isReady: () => boolean;
  /** Body of the 503 response while not ready. */
  readonly notReady?: string;
  readonly metrics?: MetricsPage;
}

export interface RunningProbeServer {
  readonly url: string;
  close(): Promise<void>;
}

interface ProbeRoute extends Route {
  readonly purpose: Purpose;
  readonly endpoint: (query: URLSearchParams) => Answer | Promise<Answer>;
}

const REQUEST_TIMEOUT_MS = 10_000;

export async function startProbeServer(options: ProbeServerOptions): Promise<RunningProbeServer> {
  const { host, port } = options;
  const place = { host, port };
  const router = new Router(probeRoutes(options));
  const server = await startHttpServer(
    { place, requestTimeoutMs: REQUEST_TIMEOUT_MS, limits: smallPort },
    (exchange) => {
      void new ProbeCall(router, exchange).serve();
    },
  );
  return { url: server.url, close: () => server.close(0) };
}

function probeRoutes(options: ProbeServerOptions): readonly ProbeRoute[] {
  const { isLive = () => true, isReady, notReady = 'not ready', metrics } = options;
  const live = () => (isLive() ? text(200, 'alive\n') : text(503, 'silent\n'));
  const ready = () => (isReady() ? text(200, 'ready\n') : text(503, `${notReady}\n`));
  const page = metrics && new SharedPage(metrics);
  return [
    { method: 'GET', path: '/livez', purpose: 'probe', endpoint: live },
    { method: 'GET', path: '/readyz', purpose: 'probe', endpoint: ready },
    ...(page === undefined ? [] : [metricsRoute(page)]),
  ];
}

function metricsRoute(page: SharedPage): ProbeRoute {
  return { method: 'GET', path: '/metrics', purpose: 'metrics', endpoint: (query) => page.answer(query) };
}

function text(status: number, words: string): Answer {
  return { status, contentType: 'text/plain', text: words };
}

const rules: CallRules = {
  maxBodyBytes: 0,
  inbound: new InboundBytes(),
  outbound: new BytesInFlight(),
  pages: new PageBytes(),
  requestTimeoutMs: REQUEST_TIMEOUT_MS,
  phase: () => 'serving',
  onDefect: warnOfDefect,
  onStageFailure: warnOfStageFailure,
  onAnswer: () => {},
};

class ProbeCall extends HttpCall<ProbeRoute> {
  readonly #router: Router<ProbeRoute>;

  constructor(router: Router<ProbeRoute>, exchange: HttpExchange) {
    super(rules, exchange);
    this.#router = router;
  }

  protected route(): ProbeRoute {
    return this.#router.find(this.method, this.path).route;
  }

  protected authenticate(): undefined {}

  protected run({ endpoint }: ProbeRoute): Answer | Promise<Answer> {
    return endpoint(this.query);
  }
}

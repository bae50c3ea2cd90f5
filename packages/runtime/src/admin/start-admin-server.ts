/**
 * The admin port: a listener of its own, apart from the one that serves. Without a token it listens on loopback alone, and answers only who
 * asks for a loopback address: a page of another site that a browser of this machine shows may not ask (DNS rebinding, cross-site requests).
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { AppError } from '@equipoise/core/model';
import { TokenBucket } from '@equipoise/core/serve';
import { warnOfDefect } from '../data-plane/turn-queue.js';
import type { MetricsPage } from '../observe/metrics-page.js';
import type { Answer } from '../open-inference/answer.js';
import { BearerToken } from '../open-inference/bearer-token.js';
import { placeText, refusalToListen } from '../open-inference/listening-place.js';
import { PathTable, type Way } from '../open-inference/path-table.js';
import { refuseRaw } from '../open-inference/raw-refusal.js';
import { readBody } from '../open-inference/read-body.js';
import { refusal } from '../open-inference/refusal.js';
import { checked } from './admin-bodies.js';
import { pipelineNamed } from './admin-endpoints.js';
import type { AdminPipeline } from './admin-pipeline.js';
import { type AdminRoute, adminRoutes } from './admin-routes.js';
import type { EventFeed } from './event-feed.js';
import { EVENT_STREAM, EventStreams } from './event-stream.js';
import { isLoopback, refuseOtherSites } from './loopback.js';

const MAX_BODY_BYTES = 64 * 1024;
const REQUEST_TIMEOUT_MS = 10_000;
/** A browser or a script asks for less; who asks for more would hold up what serves. */
const READS = { burst: 100, rps: 50 };
const WRITES = { burst: 20, rps: 5 };

/** What to administer and where; port 0 takes a free one. */
export interface AdminServerOptions {
  readonly pipelines: readonly AdminPipeline[];
  readonly feed: EventFeed;
  readonly host?: string;
  readonly port: number;
  /** Clients have to show it as a bearer token, except for probes of health. */
  readonly token?: string;
  readonly metrics?: MetricsPage;
  readonly nowMs?: () => number;
  readonly onDefect?: (error: unknown) => void;
}

/** An admin port that answers. */
export interface RunningAdminServer {
  readonly url: string;
  /** Ends streams, lets running requests end and cuts off what is left after a second. */
  close(): Promise<void>;
}

/** A way that needs no pipeline, or that is a stream. */
interface PlainWay extends Way {
  readonly kind: 'live' | 'ready' | 'metrics' | 'events';
}

type AdminWay = PlainWay | (AdminRoute & { readonly kind: 'route' });

const plainWays: readonly PlainWay[] = [
  { method: 'GET', path: '/livez', kind: 'live' },
  { method: 'GET', path: '/readyz', kind: 'ready' },
  { method: 'GET', path: '/metrics', kind: 'metrics' },
  { method: 'GET', path: '/admin/events', kind: 'events' },
];

/** Starts to listen; rejects with AppError WRONG_USAGE off loopback without a token, or PORT_IN_USE. */
export async function startAdminServer(options: AdminServerOptions): Promise<RunningAdminServer> {
  const { host = '127.0.0.1', port, token } = options;
  if (token === undefined && !isLoopback(host)) {
    const message = `The admin port on ${host} can be reached from other machines and needs a token (--admin-token-file).`;
    throw new AppError('WRONG_USAGE', message);
  }
  const admin = new AdminServer(options);
  await admin.listen({ host, port });
  return admin;
}

class AdminServer implements RunningAdminServer {
  readonly #options: AdminServerOptions;
  readonly #pipelines: ReadonlyMap<string, AdminPipeline>;
  readonly #token: BearerToken | undefined;
  readonly #table: PathTable<AdminWay>;
  readonly #streams: EventStreams;
  readonly #reads = new TokenBucket(READS);
  readonly #writes = new TokenBucket(WRITES);
  readonly #server: Server;
  #closing = false;

  constructor(options: AdminServerOptions) {
    const { pipelines, token, feed, metrics } = options;
    this.#options = options;
    this.#pipelines = new Map(pipelines.map((pipeline) => [pipeline.spec.name, pipeline]));
    this.#token = token === undefined ? undefined : new BearerToken(token);
    this.#streams = new EventStreams(feed);
    const routes = adminRoutes.map((route) => ({ ...route, kind: 'route' as const }));
    const ways = metrics === undefined ? plainWays.filter(({ kind }) => kind !== 'metrics') : plainWays;
    this.#table = new PathTable<AdminWay>([...ways, ...routes]);
    this.#server = createServer({ requestTimeout: REQUEST_TIMEOUT_MS, headersTimeout: REQUEST_TIMEOUT_MS });
    this.#server.on('request', (request, response) => void this.#exchange(request, response));
    this.#server.on('clientError', (error, socket) => refuseRaw(error, socket, undefined));
  }

  get url(): string {
    const { address, port } = this.#server.address() as AddressInfo;
    return `http://${placeText({ host: address, port })}`;
  }

  listen(place: { readonly host: string; readonly port: number }): Promise<void> {
    return new Promise((resolve, reject) => {
      placeText(place);
      this.#server.once('error', (error: NodeJS.ErrnoException) =>
        reject(refusalToListen(place, { inUse: error.code === 'EADDRINUSE', cause: error })),
      );
      this.#server.listen(place.port, place.host, resolve);
    });
  }

  async close(): Promise<void> {
    this.#closing = true;
    this.#streams.close();
    const cutOff = setTimeout(() => this.#server.closeAllConnections(), 1000);
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
    clearTimeout(cutOff);
  }

  async #exchange(request: IncomingMessage, response: ServerResponse): Promise<void> {
    try {
      const answer = await this.#answer(request, response);
      if (answer !== undefined) write(request, response, answer);
    } catch (error) {
      if (!(error instanceof AppError)) (this.#options.onDefect ?? warnOfDefect)(error);
      write(request, response, refusal(error));
    }
  }

  /** Undefined where the answer is a stream. */
  async #answer(request: IncomingMessage, response: ServerResponse): Promise<Answer | undefined> {
    const url = urlOf(request);
    const { way, names } = this.#table.find(request.method ?? '', url.pathname);
    if (way.kind !== 'live' && way.kind !== 'ready') this.#admit(request);
    switch (way.kind) {
      case 'live':
        return { status: 200, text: '{"live":true}' };
      case 'ready':
        return this.#ready();
      case 'metrics': {
        const { contentType, text } = this.#options.metrics as MetricsPage;
        return { status: 200, contentType, text: await text() };
      }
      case 'events': {
        const question = streamQuestion(request, url);
        if (question.pipeline !== undefined) pipelineNamed(this.#pipelines, question.pipeline);
        // A question of what there would be is answered like any other; a stream without a body would never end.
        if (request.method === 'HEAD') return { status: 200, contentType: EVENT_STREAM, text: '' };
        this.#streams.begin(response, question);
        return undefined;
      }
      case 'route': {
        const query = way.query === undefined ? {} : checked(way.query, Object.fromEntries(url.searchParams));
        const body = way.body === undefined ? undefined : checked(way.body, await jsonBody(request));
        return way.endpoint({ pipelines: this.#pipelines, names, query, body: body as never });
      }
    }
  }

  #admit(request: IncomingMessage): void {
    if (this.#token === undefined) refuseOtherSites(request.headers);
    else this.#token.check(request.headers.authorization);
    const { nowMs = () => performance.now() } = this.#options;
    const waitMs = (request.method === 'POST' ? this.#writes : this.#reads).take(nowMs());
    if (waitMs > 0)
      throw new AppError('RATE_LIMITED', 'The admin port is asked too often.', { details: { retryAfterMs: waitMs } });
  }

  #ready(): Answer {
    const notReady = [...this.#pipelines.values()].filter(({ runner }) => !runner.ready).map(({ spec }) => spec.name);
    const ready = !this.#closing && notReady.length === 0;
    const missing = notReady.length === 0 ? {} : { notReady };
    return { status: ready ? 200 : 503, text: JSON.stringify({ ...missing, ready }) };
  }
}

/** Where a request goes. A path that begins with two slashes is none of another host. */
function urlOf({ url = '' }: IncomingMessage): URL {
  const text = url.startsWith('/') ? `http://admin${url}` : url;
  if (URL.canParse(text)) return new URL(text);
  throw new AppError('MALFORMED_REQUEST', 'The target of the request is no path and no URL.');
}

function streamQuestion({ headers }: IncomingMessage, { searchParams }: URL) {
  const pipeline = searchParams.get('pipeline');
  const afterId = Number(headers['last-event-id'] ?? searchParams.get('after') ?? Number.NaN);
  return { ...(pipeline !== null && { pipeline }), ...(Number.isSafeInteger(afterId) && { afterId }) };
}

/** The body as a JSON value, an empty one as an object without fields. */
async function jsonBody(request: IncomingMessage): Promise<unknown> {
  const bytes = await readBody(request, {
    maxBodyBytes: MAX_BODY_BYTES,
    timeoutMs: undefined,
    beforeReading: () => {},
  });
  if (bytes.length === 0) return {};
  const [type = ''] = (request.headers['content-type'] ?? '').split(';');
  if (type.trim().toLowerCase() !== 'application/json')
    throw new AppError('UNSUPPORTED_MEDIA_TYPE', 'Send the body as application/json.');
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes)) as unknown;
  } catch (cause) {
    throw new AppError('MALFORMED_REQUEST', 'The body is no JSON in UTF-8.', { cause });
  }
}

function write(request: IncomingMessage, response: ServerResponse, answer: Answer): void {
  if (response.headersSent || request.socket.destroyed) return;
  const { status, text, contentType = 'application/json', headers = {} } = answer;
  response.writeHead(status, {
    'content-type': contentType,
    'content-length': Buffer.byteLength(text),
    'cache-control': 'no-store',
    // What is left of a body that was not wanted is not waited for.
    ...(request.complete ? {} : { connection: 'close' }),
    ...headers,
  });
  response.end(request.method === 'HEAD' ? undefined : text);
}

import type { ServerResponse } from 'node:http';
import { AppError } from '@equipoise/core/model';
import { type Answer, allReadyAnswer, liveAnswer } from '../net/answer.js';
import type { CallRules, Purpose } from '../net/call.js';
import { HttpCall, type HttpExchange } from '../net/http-call.js';
import type { SharedPage } from '../net/metrics-page.js';
import type { Route, Router } from '../net/router.js';
import type { AdminAccess } from './admin-access.js';
import { checked } from './admin-bodies.js';
import type { plainOperations } from './admin-document.js';
import { type AdminRequest, type AnswerStep, pipelineNamed } from './admin-endpoints.js';
import type { AdminRoute } from './admin-routes.js';
import { EVENT_STREAM, type EventStreams, type StreamQuestion } from './event-stream.js';
import { type FileAnswer, fileAnswer, type PageFile } from './page-files.js';
import type { CountWork, SlicedWork } from './sliced-work.js';

/** Route for probes, metrics or the event stream. */
interface PlainRoute extends Route {
  readonly kind: 'live' | 'ready' | 'metrics' | 'events' | 'document';
  readonly path: keyof typeof plainOperations;
}

/** Route for a file of the page. */
interface PageRoute extends Route {
  readonly kind: 'page';
  readonly file: PageFile;
}

/** Route about pipelines; `ask` knows them. */
interface PipelineRoute extends Pick<AdminRoute, 'method' | 'path' | 'query' | 'body'> {
  readonly kind: 'route';
  readonly ask: (request: Omit<AdminRequest, 'pipelines'>) => Answer | Promise<AnswerStep>;
}

export type AnyAdminRoute = PlainRoute | PageRoute | PipelineRoute;

export const plainRoutes: readonly PlainRoute[] = [
  { method: 'GET', path: '/livez', kind: 'live' },
  { method: 'GET', path: '/readyz', kind: 'ready' },
  { method: 'GET', path: '/metrics', kind: 'metrics' },
  { method: 'GET', path: '/admin/events', kind: 'events' },
  { method: 'GET', path: '/openapi.json', kind: 'document' },
];

export interface AdminPort {
  readonly rules: CallRules;
  readonly router: Router<AnyAdminRoute>;
  readonly access: AdminAccess;
  readonly pipelines: ReadonlyMap<string, unknown>;
  readonly ready: () => readonly { readonly name: string; readonly ready: boolean }[];
  readonly streams: EventStreams;
  readonly slices: SlicedWork;
  readonly metrics: SharedPage | undefined;
  /** The OpenAPI document of the port. */
  readonly document: () => Answer;
}

interface FoundRoute {
  readonly route: AnyAdminRoute;
  readonly names: Readonly<Record<string, string>>;
  readonly url: URL;
  readonly purpose: Purpose;
}

const COMMON_HEADERS = { 'cache-control': 'no-store' };

export class AdminCall extends HttpCall<FoundRoute> {
  readonly #port: AdminPort;
  readonly #countWork: CountWork = (step) => this.#port.access.countWork(step);
  /** True if the work for the answer counts: not for probes, metrics and files. */
  #isCounted = false;
  #question: StreamQuestion | undefined;

  constructor(port: AdminPort, exchange: HttpExchange) {
    super(port.rules, exchange);
    this.#port = port;
  }

  protected route(): FoundRoute {
    const url = urlOf(this.exchange.request.url);
    const { route, names } = this.#port.router.find(this.method, url.pathname);
    return { route, names, url, purpose: route.kind === 'live' || route.kind === 'ready' ? 'probe' : 'metadata' };
  }

  protected authenticate({ purpose, route }: FoundRoute): undefined {
    if (route.kind === 'page') this.#port.access.checkPage(this.headers);
    else if (purpose !== 'probe') this.#port.access.check(this.method, this.headers);
  }

  protected async run({ route, names, url }: FoundRoute): Promise<Answer> {
    const { metrics } = this.#port;
    switch (route.kind) {
      case 'live':
        return liveAnswer();
      case 'ready':
        return this.#ready();
      case 'metrics':
        return (metrics as SharedPage).answer(url.searchParams, this.headers.accept);
      case 'events':
        return this.#events(url);
      case 'document':
        return this.#port.document();
      case 'page':
        return fileAnswer(route.file, this.headers);
      case 'route':
        return this.#ask(route, names, url);
    }
  }

  protected override lengthOf(answer: Answer): number {
    if (isFile(answer)) return answer.bytes.length;
    return this.#isCounted ? this.#countWork(() => super.lengthOf(answer)) : super.lengthOf(answer);
  }

  protected override write(answer: Answer): void {
    if (isFile(answer)) this.#writeFile(answer);
    else if (this.#question !== undefined)
      this.#port.streams.begin(this.exchange.response as ServerResponse, this.#question);
    else if (this.#isCounted) this.#countWork(() => super.write(answer));
    else super.write(answer);
  }

  protected override commonHeaders(): Readonly<Record<string, string>> {
    return COMMON_HEADERS;
  }

  #writeFile({ status, contentType = '', headers, bytes }: FileAnswer): void {
    const { exchange } = this;
    const length = status === 304 ? {} : { 'content-type': contentType, 'content-length': bytes.length };
    const response = exchange.response as ServerResponse;
    response.writeHead(status, { ...length, ...headers, ...exchange.headersIn(this.rules.phase()) });
    response.end(this.method === 'HEAD' ? undefined : bytes);
    exchange.onSent(() => this.sent());
  }

  async #ask(
    { query: fields, body: schema, ask }: PipelineRoute,
    names: FoundRoute['names'],
    { searchParams }: URL,
  ): Promise<Answer> {
    const countWork = this.#countWork;
    this.#isCounted = true;
    const query = fields === undefined ? {} : checked(fields, Object.fromEntries(searchParams));
    const bytes = schema && (await this.readBody());
    const asked = await countWork(() => {
      const body = bytes && schema && checked(schema, this.#jsonIn(bytes));
      return ask({ names, query, body, slices: this.#port.slices, countWork });
    });
    return typeof asked === 'function' ? countWork(asked) : asked;
  }

  #ready(): Answer {
    return allReadyAnswer(this.rules.phase() === 'serving', this.#port.ready());
  }

  /** HEAD is answered at once: a stream would never end. */
  #events({ searchParams }: URL): Answer {
    const pipeline = searchParams.get('pipeline');
    const afterId = Number(this.headers['last-event-id'] ?? searchParams.get('after') ?? Number.NaN);
    if (pipeline !== null) pipelineNamed(this.#port.pipelines, pipeline);
    if (this.method !== 'HEAD') {
      this.#port.streams.requireRoom();
      this.#question = {
        ...(pipeline !== null && { pipeline }),
        ...(Number.isSafeInteger(afterId) && { afterId }),
      };
    }
    return { status: 200, contentType: EVENT_STREAM, text: '' };
  }

  /** Parsed JSON body; `{}` if the body is empty. */
  #jsonIn(bytes: Uint8Array): unknown {
    if (bytes.length === 0) return {};
    if (this.mediaType !== 'application/json')
      throw new AppError('UNSUPPORTED_MEDIA_TYPE', 'Send the body as application/json.');
    try {
      return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes)) as unknown;
    } catch (cause) {
      throw new AppError('MALFORMED_REQUEST', 'The body is not JSON in UTF-8.', { cause });
    }
  }
}

const isFile = (answer: Answer): answer is FileAnswer => 'bytes' in answer;

/** A path that begins with two slashes must not name another host. */
function urlOf(url = ''): URL {
  const text = url.startsWith('/') ? `http://admin${url}` : url;
  if (URL.canParse(text)) return new URL(text);
  throw new AppError('MALFORMED_REQUEST', 'The target of the request is neither a path nor a URL.');
}

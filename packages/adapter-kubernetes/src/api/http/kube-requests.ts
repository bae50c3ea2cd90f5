import http from 'node:http';
import https from 'node:https';
import { AppError } from '@equipoise/core/model';
import type { KubeConnection } from './kube-connection.js';

/** Requests to the API server. Without an answer they reject with AppError UNREACHABLE. */

export interface KubeRequest {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  readonly path: string;
  readonly query?: Readonly<Record<string, string | number | boolean | undefined>>;
  readonly contentType?: string;
  readonly body?: unknown;
}

/** `body` is undefined if the text is not JSON. */
export interface KubeAnswer {
  readonly status: number;
  readonly body: unknown;
  readonly retryAfterSeconds?: number;
}

/** Time limits in ms; for a stream, the time until its headers. */
export interface RequestLimits {
  readonly answerMs: number;
}

/**
 * Part of the time limit after which the server itself gives a write up. So a webhook that hangs refuses one object, instead
 * of an end without an answer, which looks as if the server was away.
 */
const WRITE_PART = 2 / 3;

export class KubeRequests {
  readonly #connection: KubeConnection;
  readonly #limits: RequestLimits;

  constructor(connection: KubeConnection, limits: RequestLimits) {
    this.#connection = connection;
    this.#limits = limits;
  }

  /** Resolves for any status. Renews refused credentials once. CLUSTER_REFUSED if the server is not Kubernetes. */
  async ask(request: KubeRequest): Promise<KubeAnswer> {
    const answer = await this.#askOnce(request);
    if (answer.status !== 401) return this.#checked(answer);
    this.#connection.forgetCredentials();
    return this.#checked(await this.#askOnce(request));
  }

  #checked({ text, ...answer }: WholeAnswer): KubeAnswer {
    checkIsOfKubernetes(this.#connection.serverUrl, { ...answer, text });
    return answer;
  }

  async #askOnce(request: KubeRequest): Promise<WholeAnswer> {
    const timeout = AbortSignal.timeout(this.#limits.answerMs);
    const response = await this.#send(request, timeout);
    try {
      return await wholeAnswer(response);
    } catch (cause) {
      throw this.#unreachable(cause);
    }
  }

  /** Yields lines until the stream ends or `signal` aborts. Resolves with an answer if the status is not 200. */
  async stream(request: KubeRequest, signal: AbortSignal): Promise<KubeAnswer | AsyncIterable<unknown>> {
    const late = new AbortController();
    const timer = setTimeout(() => late.abort(new Error('no headers in time')), this.#limits.answerMs);
    const response = await this.#send(request, AbortSignal.any([signal, late.signal])).finally(() =>
      clearTimeout(timer),
    );
    if (response.statusCode === 200) return this.#linesOf(response, signal);
    if (response.statusCode === 401) this.#connection.forgetCredentials();
    return this.#checked(await wholeAnswer(response));
  }

  async *#linesOf(response: http.IncomingMessage, signal: AbortSignal): AsyncIterable<unknown> {
    try {
      yield* jsonLines(response);
    } catch (cause) {
      if (!signal.aborted) throw this.#unreachable(cause);
    } finally {
      response.destroy();
    }
  }

  async #send(request: KubeRequest, signal: AbortSignal): Promise<http.IncomingMessage> {
    const options = await this.#connection.requestOptions();
    const body = request.body === undefined ? undefined : JSON.stringify(request.body);
    const headers = {
      ...(options.headers as http.OutgoingHttpHeaders),
      accept: 'application/json',
      ...(body !== undefined && {
        'content-type': request.contentType ?? 'application/json',
        'content-length': Buffer.byteLength(body),
      }),
    };
    const { protocol } = this.#connection.serverUrl;
    const send = protocol === 'https:' ? https.request : http.request;
    return new Promise((resolve, reject) => {
      const sent = send(this.#urlOf(request), { ...options, headers, method: request.method, signal }, resolve);
      sent.on('error', (cause) => reject(this.#unreachable(cause)));
      sent.on('socket', (socket) => socket.setKeepAlive(true, 15_000));
      sent.end(body);
    });
  }

  #urlOf({ method, path, query = {} }: KubeRequest): URL {
    const url = new URL(this.#connection.serverUrl);
    url.pathname = `${url.pathname.replace(/\/$/, '')}${path}`;
    const timeout = method === 'GET' ? undefined : `${Math.floor(WRITE_PART * this.#limits.answerMs)}ms`;
    for (const [name, value] of Object.entries({ ...query, timeout })) {
      if (value !== undefined) url.searchParams.set(name, String(value));
    }
    return url;
  }

  #unreachable(cause: unknown): AppError {
    if (cause instanceof AppError) return cause;
    // Behind a balancer that fails over, the idle connections are as dead as this one, and each would take a whole wait.
    this.#connection.dropIdle();
    const why = cause instanceof Error ? cause.message : String(cause);
    return new AppError(
      'UNREACHABLE',
      `no answer from the API server at ${this.#connection.serverUrl.origin}: ${why}`,
      {
        cause,
        retryable: true,
      },
    );
  }
}

type WholeAnswer = KubeAnswer & { readonly text: string };

async function wholeAnswer(response: http.IncomingMessage): Promise<WholeAnswer> {
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk as Buffer);
  const text = Buffer.concat(chunks).toString('utf8');
  const retryAfter = Number(response.headers['retry-after']);
  return {
    status: response.statusCode ?? 0,
    text,
    body: jsonOrUndefined(text),
    ...(Number.isFinite(retryAfter) && { retryAfterSeconds: retryAfter }),
  };
}

function jsonOrUndefined(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

const SHOWN_LENGTH = 80;

export interface TextAnswer {
  readonly status: number;
  readonly text: string;
  readonly body: unknown;
}

/** Throws CLUSTER_REFUSED for other servers, such as a login page; not for 429 and 5xx: proxies send them. */
function checkIsOfKubernetes(server: URL, { status, text, body }: TextAnswer): void {
  if (isObject(body) || status === 429 || status >= 500 || isUnknownPath(status, text)) return;
  const start = text.trim().replaceAll(/\s+/g, ' ');
  const shown = start.length > SHOWN_LENGTH ? `${start.slice(0, SHOWN_LENGTH)}…` : start;
  throw new AppError(
    'CLUSTER_REFUSED',
    `what answers at ${server.href} is no Kubernetes API server: status ${status}, ${shown === '' ? 'without a body' : `“${shown}”`}; check the server of the kubeconfig and its context`,
    { details: { server: server.href, answeredStatus: status } },
  );
}

/** Answers of API servers are objects with kind and version. */
function isObject(body: unknown): boolean {
  if (typeof body !== 'object' || body === null) return false;
  const { kind, apiVersion } = body as { readonly kind?: unknown; readonly apiVersion?: unknown };
  return typeof kind === 'string' && typeof apiVersion === 'string';
}

/** The answer for an API group that is not installed. */
const isUnknownPath = (status: number, text: string): boolean =>
  status === 404 && /^404:? page not found$/i.test(text.trim());

/** Yields one JSON value per line. Rejects at an invalid line. */
export async function* jsonLines(bytes: AsyncIterable<unknown>): AsyncIterable<unknown> {
  const decoder = new TextDecoder('utf-8');
  let rest = '';
  for await (const chunk of bytes) {
    rest += decoder.decode(chunk as Uint8Array, { stream: true });
    let end = rest.indexOf('\n');
    while (end >= 0) {
      const line = rest.slice(0, end).trim();
      rest = rest.slice(end + 1);
      if (line !== '') yield JSON.parse(line);
      end = rest.indexOf('\n');
    }
  }
  rest += decoder.decode();
  if (rest.trim() !== '') yield JSON.parse(rest);
}

/** One bounded HTTP exchange with a Prometheus server, over connections that are kept. */
import { Agent, type IncomingMessage, request as plainRequest, type RequestOptions } from 'node:http';
import { Agent as TlsAgent, request as tlsRequest } from 'node:https';
import { AppError } from '@equipoise/core/model';

/** Why a server gave no usable answer. */
export type PrometheusFailure =
  | 'connection'
  | 'tls'
  | 'timeout'
  | 'unauthenticated'
  | 'forbidden'
  | 'redirected'
  | 'unavailable'
  | 'not-prometheus'
  | 'too-large'
  | 'refused';

/** AppError UNREACHABLE with the failure in `details.failure`. */
export function prometheusError(failure: PrometheusFailure, message: string, cause?: unknown): AppError {
  return new AppError('UNREACHABLE', message, { details: { failure }, retryable: true, cause });
}

/** Failure of an error of this package; undefined for other errors. */
export function failureOf(error: unknown): PrometheusFailure | undefined {
  if (!(error instanceof AppError) || error.code !== 'UNREACHABLE') return undefined;
  return error.details['failure'] as PrometheusFailure | undefined;
}

export interface HttpLimits {
  /** Time until the whole answer has arrived. */
  readonly timeoutMs: number;
  readonly maxAnswerBytes: number;
}

export interface HttpAnswer {
  readonly status: number;
  readonly location?: string | undefined;
  readonly text: string;
}

export interface HttpQuestion {
  /** Path below the address of the server, without a leading slash. */
  readonly path: string;
  /** Sent as a form by POST; without a form the question is a GET. */
  readonly form?: URLSearchParams;
  readonly token?: string | undefined;
  /** Shorter time limit than that of the exchange. */
  readonly timeoutMs?: number | undefined;
}

/** Codes of Node for certificates that a client does not trust. */
const TLS_CODE = /^(ERR_TLS_|CERT_|DEPTH_ZERO_|SELF_SIGNED_|UNABLE_TO_|EPROTO$)/;

interface Begun {
  readonly lateMs: number | undefined;
  readonly status: number | undefined;
}

export class HttpExchange {
  readonly #url: URL;
  readonly #limits: HttpLimits;
  readonly #agent: Agent;

  /** `ca`: certificates in PEM format to trust in addition to none of the system's, if given. */
  constructor(url: URL, limits: HttpLimits, ca: string | undefined) {
    this.#url = url;
    this.#limits = limits;
    const options = { keepAlive: true, maxSockets: 4 };
    this.#agent = url.protocol === 'https:' ? new TlsAgent({ ...options, ...(ca && { ca }) }) : new Agent(options);
  }

  /** Resolves for any status. Rejects as `connection`, `tls`, `timeout` or `too-large`. */
  async ask({ path, form, token, timeoutMs = this.#limits.timeoutMs }: HttpQuestion): Promise<HttpAnswer> {
    const body = form?.toString();
    const signal = AbortSignal.timeout(timeoutMs);
    const options: RequestOptions = {
      method: body === undefined ? 'GET' : 'POST',
      agent: this.#agent,
      signal,
      headers: {
        accept: 'application/json',
        ...(token !== undefined && { authorization: `Bearer ${token}` }),
        ...(body !== undefined && {
          'content-type': 'application/x-www-form-urlencoded',
          'content-length': Buffer.byteLength(body),
        }),
      },
    };
    let status: number | undefined;
    try {
      const response = await this.#send(new URL(path, this.#url), options, body);
      status = response.statusCode;
      return await this.#answerOf(response);
    } catch (error) {
      if (error instanceof AppError) throw error;
      const lateMs = signal.aborted ? timeoutMs : undefined;
      throw this.#failed(error as NodeJS.ErrnoException, { lateMs, status });
    }
  }

  close(): void {
    this.#agent.destroy();
  }

  #send(url: URL, options: RequestOptions, body: string | undefined): Promise<IncomingMessage> {
    const send = url.protocol === 'https:' ? tlsRequest : plainRequest;
    return new Promise((resolve, reject) => {
      send(url, options).on('response', resolve).on('error', reject).end(body);
    });
  }

  async #answerOf(response: IncomingMessage): Promise<HttpAnswer> {
    const { maxAnswerBytes } = this.#limits;
    const chunks: Buffer[] = [];
    let length = 0;
    for await (const chunk of response as AsyncIterable<Buffer>) {
      length += chunk.length;
      if (length > maxAnswerBytes) {
        response.destroy();
        const message = `the answer of ${this.#url.href} is longer than ${maxAnswerBytes} bytes; ask for fewer series`;
        throw prometheusError('too-large', message);
      }
      chunks.push(chunk);
    }
    const { statusCode = 0, headers } = response;
    return { status: statusCode, location: headers.location, text: Buffer.concat(chunks).toString('utf8') };
  }

  /** `status` is that of an answer that had begun, `lateMs` the time limit if it is over. */
  #failed(error: NodeJS.ErrnoException, { lateMs, status }: Begun): AppError {
    const { href } = this.#url;
    if (lateMs !== undefined) {
      const lack = status === undefined ? 'gave no answer' : `answered ${status}, but not to the end,`;
      const message = `${href} ${lack} within ${lateMs} ms; check that it is not overloaded`;
      return prometheusError('timeout', message, error);
    }
    if (TLS_CODE.test(error.code ?? '')) {
      const message = `the certificate of ${href} is not accepted (${error.message}); name the certificate authority`;
      return prometheusError('tls', message, error);
    }
    const why = error.message || error.code;
    if (error.code?.startsWith('HPE_'))
      return prometheusError('not-prometheus', `what answers at ${href} does not speak HTTP: ${why}`, error);
    if (status === undefined && error.message === 'socket hang up')
      return prometheusError('connection', `${href} closed the connection without an answer`, error);
    const message = status === undefined ? `${href} cannot be reached` : `${href} answered ${status}, but broke off`;
    return prometheusError('connection', `${message}: ${why}`, error);
  }
}

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
    const options: RequestOptions = {
      method: body === undefined ? 'GET' : 'POST',
      agent: this.#agent,
      signal: AbortSignal.timeout(timeoutMs),
      headers: {
        accept: 'application/json',
        ...(token !== undefined && { authorization: `Bearer ${token}` }),
        ...(body !== undefined && {
          'content-type': 'application/x-www-form-urlencoded',
          'content-length': Buffer.byteLength(body),
        }),
      },
    };
    try {
      return await this.#answerOf(await this.#send(new URL(path, this.#url), options, body));
    } catch (error) {
      throw error instanceof AppError ? error : this.#failed(error as NodeJS.ErrnoException, timeoutMs);
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

  #failed(error: NodeJS.ErrnoException, timeoutMs: number): AppError {
    const { href } = this.#url;
    if (error.name === 'TimeoutError' || error.code === 'ABORT_ERR') {
      const message = `${href} gave no answer within ${timeoutMs} ms; check that it is not overloaded`;
      return prometheusError('timeout', message, error);
    }
    if (TLS_CODE.test(error.code ?? '')) {
      const message = `the certificate of ${href} is not accepted (${error.message}); name the certificate authority`;
      return prometheusError('tls', message, error);
    }
    return prometheusError('connection', `${href} cannot be reached: ${error.message || error.code}`, error);
  }
}

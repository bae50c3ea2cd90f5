/** Good clients next to an attack: an open loop of requests over REST and gRPC, each answer checked against its request. */
import { readFileSync } from 'node:fs';
import { Agent, type IncomingMessage, request as requestHttp } from 'node:http';
import { type ClientHttp2Session, connect } from 'node:http2';
import { request as requestHttps, Agent as SecureAgent } from 'node:https';
import { INFER, MODEL_INFER, RUN } from './hostile-client.js';
import { grpcMessage, inferRequest } from './http2-frames.js';
import { type ServedPipeline, TOKEN } from './served-pipeline.js';

const IMAGE = readFileSync(new URL('../../examples/shelf-scan/samples/scene-001.jpg', import.meta.url));
/** Answer of the pipeline to this image. */
const GRAY = -0.408;
/** Time (ms) that a client waits after the deadline of its request. */
const PATIENCE_MS = 5000;
const DEFAULT_TIMEOUT_MS = 500;

export interface GoodAnswer {
  readonly latencyMs: number;
  /** HTTP status, `grpc-N`, or the code of a broken connection. */
  readonly status: string;
  /** True if the answer does not match the request. */
  readonly isWrong: boolean;
}

export interface GoodClientsOptions {
  readonly arrivalRps: number;
  /** Deadline of a request; default: that of the server. */
  readonly timeoutMs?: number | undefined;
}

type Answer = Omit<GoodAnswer, 'latencyMs'>;

/** Starts to send at once. */
export class GoodClients {
  readonly #server: ServedPipeline;
  readonly #options: GoodClientsOptions;
  readonly #agent: Agent;
  readonly #timer: NodeJS.Timeout;
  readonly #startedAtMs = performance.now();
  readonly #underWay = new Set<Promise<void>>();
  #answers: GoodAnswer[] = [];
  #session: ClientHttp2Session | undefined;
  #sent = 0;

  constructor(server: ServedPipeline, options: GoodClientsOptions) {
    this.#server = server;
    this.#options = options;
    const kept = { keepAlive: true, maxSockets: 64 };
    this.#agent = server.isSecure ? new SecureAgent({ ...kept, rejectUnauthorized: false }) : new Agent(kept);
    this.#timer = setInterval(() => this.#sendDue(), 5);
  }

  /** Waits for the answers to all requests sent so far, and returns the answers since the last call. */
  async takeAnswers(): Promise<readonly GoodAnswer[]> {
    await Promise.all([...this.#underWay]);
    const answers = this.#answers;
    this.#answers = [];
    return answers;
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await Promise.all([...this.#underWay]);
    this.#agent.destroy();
    this.#session?.destroy();
  }

  #sendDue(): void {
    const due = ((performance.now() - this.#startedAtMs) / 1000) * this.#options.arrivalRps;
    for (; this.#sent < due; this.#sent++) {
      const scheduledAtMs = this.#startedAtMs + (1000 * this.#sent) / this.#options.arrivalRps;
      const answer = this.#sendPatiently(this.#sent).then((each) => {
        this.#answers.push({ ...each, latencyMs: performance.now() - scheduledAtMs });
      });
      this.#underWay.add(answer);
      void answer.then(() => this.#underWay.delete(answer));
    }
  }

  async #sendPatiently(index: number): Promise<Answer> {
    let timer: NodeJS.Timeout | undefined;
    const patience = new Promise<Answer>((resolve) => {
      const waitMs = (this.#options.timeoutMs ?? DEFAULT_TIMEOUT_MS) + PATIENCE_MS;
      timer = setTimeout(() => resolve({ status: 'no answer', isWrong: false }), waitMs);
    });
    const answer = await Promise.race([this.#send(index), patience]);
    clearTimeout(timer);
    return answer;
  }

  /** Texts differ in their number of words, which reveals an answer to another request. */
  #send(index: number): Promise<Answer> {
    const words = 1 + (index % 40);
    const text = `good${' word'.repeat(words - 1)}`;
    const isKept = index % 2 === 0;
    const timeout = this.#options.timeoutMs;
    const parameters = timeout === undefined ? {} : { parameters: { timeout_ms: timeout } };
    const run = timeout === undefined ? RUN : `${RUN}?timeout_ms=${timeout}`;
    const input = { name: 'image', datatype: 'UINT8', shape: [text.length] };
    switch (index % 5) {
      case 0:
        return this.#post(run, { 'content-type': 'text/plain' }, text, isKept, runCount(words));
      case 1:
        return this.#post(
          run,
          { 'content-type': 'image/jpeg' },
          IMAGE,
          isKept,
          (body) => body.outputs?.gray?.[0] === GRAY,
        );
      case 2: {
        const body = JSON.stringify({ inputs: [{ ...input, data: [...Buffer.from(text)] }], ...parameters });
        return this.#post(INFER, { 'content-type': 'application/json' }, body, isKept, inferCount(words));
      }
      case 3: {
        const raw = { ...input, parameters: { binary_data_size: text.length } };
        const json = JSON.stringify({ inputs: [raw], ...parameters });
        const headers = {
          'content-type': 'application/octet-stream',
          'inference-header-content-length': `${json.length}`,
        };
        return this.#post(INFER, headers, json + text, isKept, inferCount(words));
      }
      default:
        return this.#call(text, words);
    }
  }

  #post(
    path: string,
    headers: Record<string, string>,
    body: string | Uint8Array,
    isKept: boolean,
    isRight: (body: AnswerBody) => boolean,
  ): Promise<Answer> {
    const { isSecure, ports } = this.#server;
    const to = { host: '127.0.0.1', port: ports.rest, path, method: 'POST', rejectUnauthorized: false };
    const all = { ...headers, ...this.#authorization(), 'content-length': Buffer.byteLength(body) };
    return new Promise((resolve) => {
      const options = { ...to, headers: all, agent: isKept ? this.#agent : false };
      const request = (isSecure ? requestHttps : requestHttp)(options, (response) => {
        void readAnswer(response, isRight).then(resolve);
      });
      request.once('error', (error: NodeJS.ErrnoException) => {
        // A server may close a persistent connection at any time. Like every client, this one then sends again on a new
        // connection.
        if (request.reusedSocket && error.code === 'ECONNRESET') {
          void this.#post(path, headers, body, false, isRight).then(resolve);
        } else resolve({ status: error.code ?? error.message, isWrong: false });
      });
      request.end(body);
    });
  }

  #call(text: string, words: number): Promise<Answer> {
    const session = this.#openSession();
    const timeout = this.#options.timeoutMs;
    return new Promise((resolve) => {
      const chunks: Buffer[] = [];
      let status = 'closed';
      const noteStatus = (headers: Record<string, unknown>): void => {
        if (headers['grpc-status'] !== undefined) status = `grpc-${headers['grpc-status']}`;
      };
      const stream = session.request({
        ...{ ':method': 'POST', ':path': MODEL_INFER, 'content-type': 'application/grpc', te: 'trailers' },
        ...this.#authorization(),
        ...(timeout === undefined ? {} : { 'grpc-timeout': `${timeout}m` }),
      });
      stream.on('response', noteStatus).on('trailers', noteStatus);
      stream.on('data', (chunk: Buffer) => chunks.push(chunk));
      stream.on('error', () => undefined);
      stream.once('close', () => {
        const isOk = status === 'grpc-0';
        resolve({ status: isOk ? '200' : status, isWrong: isOk && countOf(Buffer.concat(chunks)) !== words });
      });
      stream.end(grpcMessage(inferRequest(text)));
    });
  }

  #openSession(): ClientHttp2Session {
    if (this.#session && !this.#session.closed && !this.#session.destroyed) return this.#session;
    const { isSecure, ports } = this.#server;
    const session = connect(`${isSecure ? 'https' : 'http'}://127.0.0.1:${ports.grpc}`, { rejectUnauthorized: false });
    session.on('error', () => session.destroy());
    session.on('goaway', () => session.close());
    this.#session = session;
    return session;
  }

  #authorization(): Record<string, string> {
    return this.#server.isSecure ? { authorization: `Bearer ${TOKEN.good}` } : {};
  }
}

interface AnswerBody {
  readonly outputs?: { readonly gray?: readonly number[]; readonly count?: readonly number[] };
}

const runCount =
  (words: number) =>
  (body: AnswerBody): boolean =>
    body.outputs?.count?.[0] === words;

const inferCount =
  (words: number) =>
  (body: AnswerBody): boolean => {
    const outputs = body.outputs as unknown as readonly { readonly name: string; readonly data: readonly unknown[] }[];
    return outputs.find(({ name }) => name === 'count')?.data[0] === words;
  };

/** Number of words of a gRPC answer: its last raw tensor. */
const countOf = (message: Buffer): number =>
  Number(message.length < 8 ? -1 : message.readBigInt64LE(message.length - 8));

async function readAnswer(response: IncomingMessage, isRight: (body: AnswerBody) => boolean): Promise<Answer> {
  const status = String(response.statusCode);
  try {
    const chunks: Buffer[] = [];
    for await (const chunk of response) chunks.push(chunk as Buffer);
    const body = JSON.parse(Buffer.concat(chunks).toString()) as AnswerBody & {
      readonly reason?: string;
      readonly code?: string;
    };
    if (status !== '200') return { status: `${status} ${body.reason ?? body.code ?? ''}`, isWrong: false };
    return { status, isWrong: !isRight(body) };
  } catch {
    return { status: `${status} broken`, isWrong: false };
  }
}

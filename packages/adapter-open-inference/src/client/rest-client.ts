import { AppError } from '@equipoise/core/model';
import {
  BINARY_MEDIA_TYPE,
  type InferRequest,
  type InferResponse,
  JSON_LENGTH_HEADER,
  type ModelMetadata,
  parseJson,
  readInferResponse,
  readJsonLength,
  readModelMetadata,
  readRestBody,
  readServerMetadata,
  type ServerMetadata,
  writeInferRequest,
} from '@equipoise/open-inference-codec';
import {
  type AnswerDecoder,
  type CallOptions,
  type ClientOptions,
  clientDefaults,
  headersOf,
  type InferenceClient,
} from './inference-client.js';
import { type RestAnswer, RestConnections, type RestRequest } from './rest-exchange.js';
import { codeOfHttp, corruptAnswer, serverFailure } from './server-failure.js';

/** JSON up to this size is decoded in this thread. Larger JSON would make other requests wait. */
const MOST_JSON_BYTES = 256 * 1024;

export class RestClient implements InferenceClient {
  readonly url: string;
  readonly #raw: boolean;
  readonly #connections: RestConnections;
  readonly #decodeLarge: AnswerDecoder | undefined;

  constructor(url: URL, options: ClientOptions) {
    const {
      raw = clientDefaults.raw,
      maxAnswerBytes = clientDefaults.maxAnswerBytes,
      mayRepeat = clientDefaults.mayRepeat,
    } = options;
    this.url = url.href.replace(/\/$/, '');
    this.#raw = raw;
    this.#decodeLarge = options.decodeLarge;
    this.#connections = new RestConnections(url, { maxAnswerBytes, headers: headersOf(options), mayRepeat });
  }

  serverLive(options: CallOptions = {}): Promise<boolean> {
    return this.#isOk('/v2/health/live', options);
  }

  serverReady(options: CallOptions = {}): Promise<boolean> {
    return this.#isOk('/v2/health/ready', options);
  }

  modelReady(model: string, options: CallOptions = {}): Promise<boolean> {
    return this.#isOk(`${modelPath(model)}/ready`, options);
  }

  async serverMetadata(options: CallOptions = {}): Promise<ServerMetadata> {
    const { body } = await this.#succeeded({ method: 'GET', path: '/v2' }, options);
    return this.#read(() => readServerMetadata(parseJson(body)));
  }

  async modelMetadata(model: string, options: CallOptions = {}): Promise<ModelMetadata> {
    const { body } = await this.#succeeded({ method: 'GET', path: modelPath(model) }, options);
    return this.#read(() => readModelMetadata(parseJson(body)));
  }

  async modelNames(options: CallOptions = {}): Promise<readonly string[]> {
    const headers = { 'content-type': 'application/json' };
    const sent = {
      method: 'POST',
      path: '/v2/repository/index',
      headers,
      body: [Buffer.from('{"ready":true}')],
    } as const;
    const { body } = await this.#succeeded(sent, options);
    return this.#read(() => readModelNames(parseJson(body)));
  }

  async infer(model: string, request: InferRequest, options: CallOptions = {}): Promise<InferResponse> {
    const { json, raw } = writeInferRequest(request, this.#raw);
    const text = Buffer.from(json);
    const headers =
      raw.length === 0
        ? { 'content-type': 'application/json' }
        : { 'content-type': BINARY_MEDIA_TYPE, [JSON_LENGTH_HEADER]: text.length };
    const path = `${modelPath(model)}/infer`;
    const sent = { method: 'POST', path, headers: { ...options.headers, ...headers }, body: [text, ...raw] } as const;
    const { headers: stated, body: bytes } = await this.#succeeded(sent, options);
    const length = stated[JSON_LENGTH_HEADER];
    const jsonLength = this.#read(() => readJsonLength(Array.isArray(length) ? length[0] : length));
    const decode = (jsonLength ?? bytes.length) > MOST_JSON_BYTES ? this.#decodeLarge : undefined;
    if (decode === undefined) return this.#read(() => readInferResponse(readRestBody(bytes, jsonLength)));
    return decode({ bytes, jsonLength }).catch((error: unknown) => {
      throw this.#unreadable(error);
    });
  }

  close(): void {
    this.#connections.close();
  }

  async #isOk(path: string, options: CallOptions): Promise<boolean> {
    try {
      return (await this.#connections.exchange({ method: 'GET', path }, options)).status === 200;
    } catch {
      return false;
    }
  }

  async #succeeded(sent: RestRequest, options: CallOptions): Promise<RestAnswer> {
    const answer = await this.#connections.exchange(sent, options);
    if (answer.status >= 200 && answer.status < 300) return answer;
    const { status, headers } = answer;
    const seconds = Number(headers['retry-after']);
    throw serverFailure(codeOfHttp(status), {
      url: this.url,
      status,
      message: wordsOf(answer),
      retryAfterMs: seconds > 0 ? seconds * 1000 : undefined,
    });
  }

  #read<Value>(read: () => Value): Value {
    try {
      return read();
    } catch (error) {
      throw this.#unreadable(error);
    }
  }

  #unreadable(error: unknown): unknown {
    return error instanceof AppError ? corruptAnswer(this.url, error) : error;
  }
}

/** Names in a repository index, one entry per version. */
function readModelNames(index: unknown): readonly string[] {
  const names = Array.isArray(index)
    ? index.map((entry: { readonly name?: unknown } | null) => entry?.name)
    : [undefined];
  if (names.every((name) => typeof name === 'string')) return [...new Set(names)];
  throw new AppError('MALFORMED_REQUEST', 'The index of models must be an array of objects with a name.');
}

function modelPath(model: string): string {
  return `/v2/models/${encodeURIComponent(model)}`;
}

/** Message of a failed answer: the protocol's `error`, the `detail` of other servers, or the text. */
function wordsOf({ body }: RestAnswer): string {
  const text = Buffer.from(body.buffer, body.byteOffset, Math.min(body.length, 4096)).toString();
  try {
    const { error, detail } = JSON.parse(text) as { error?: unknown; detail?: unknown };
    const words = error ?? detail;
    return typeof words === 'string' ? words : JSON.stringify(words ?? '');
  } catch {
    return text;
  }
}

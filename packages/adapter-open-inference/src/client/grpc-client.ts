import { AppError } from '@equipoise/core/model';
import {
  grpcMethods,
  grpcPath,
  type InferRequest,
  type InferResponse,
  type ModelMetadata,
  ownedMessage,
  readGrpcMetadata,
  readGrpcResponse,
  readMessage,
  type ServerMetadata,
  writeGrpcRequest,
  writeMessage,
} from '@equipoise/open-inference-codec';
import { Client, connectivityState, credentials, Metadata, type ServiceError, status } from '@grpc/grpc-js';
import {
  type CallOptions,
  type ClientOptions,
  clientDefaults,
  headersOf,
  type InferenceClient,
} from './inference-client.js';
import { codeOfGrpc, corruptAnswer, givenUp, serverFailure, tookTooLong, unreachable } from './server-failure.js';

const PING_MS = { every: 30_000, timeout: 10_000 };
const CONNECTING_PATIENCE_MS = 5_000;
/** Words of the library for calls that the server did not get. */
const UNSENT = /^(No connection established|Stream refused by server)/;
const UNSETTLED = new Set([connectivityState.CONNECTING, connectivityState.TRANSIENT_FAILURE]);

/** Client over one gRPC connection that reconnects by itself. */
export class GrpcClient implements InferenceClient {
  readonly url: string;
  readonly #raw: boolean;
  readonly #maxAnswerBytes: number;
  readonly #client: Client;
  readonly #metadata = new Metadata();

  constructor(url: URL, options: ClientOptions) {
    const { raw = clientDefaults.raw, maxAnswerBytes = clientDefaults.maxAnswerBytes } = options;
    for (const [name, value] of Object.entries(headersOf(options))) this.#metadata.set(name, value);
    this.url = url.href.replace(/\/$/, '');
    this.#raw = raw;
    this.#maxAnswerBytes = maxAnswerBytes;
    const secure = url.protocol === 'grpcs:';
    const port = url.port === '' ? (secure ? 443 : 80) : url.port;
    this.#client = new Client(
      `${url.hostname}:${port}`,
      secure ? credentials.createSsl() : credentials.createInsecure(),
      {
        'grpc.max_send_message_length': -1,
        'grpc.max_receive_message_length': maxAnswerBytes,
        'grpc.keepalive_time_ms': PING_MS.every,
        'grpc.keepalive_timeout_ms': PING_MS.timeout,
        // One server per replica: no shared connection, no proxy, and the caller decides on retries.
        'grpc.use_local_subchannel_pool': 1,
        'grpc.enable_http_proxy': 0,
        'grpc.enable_retries': 0,
        'grpc.initial_reconnect_backoff_ms': 100,
        'grpc.max_reconnect_backoff_ms': 1000,
      },
    );
  }

  serverLive(options: CallOptions = {}): Promise<boolean> {
    const { serverLive } = grpcMethods;
    return isTrue(async () => {
      const answer = await this.#call(serverLive, writeMessage(serverLive.input, {}), options);
      return readMessage(serverLive.output, answer).live;
    });
  }

  serverReady(options: CallOptions = {}): Promise<boolean> {
    const { serverReady } = grpcMethods;
    return isTrue(async () => {
      const answer = await this.#call(serverReady, writeMessage(serverReady.input, {}), options);
      return readMessage(serverReady.output, answer).ready;
    });
  }

  modelReady(name: string, options: CallOptions = {}): Promise<boolean> {
    const { modelReady } = grpcMethods;
    return isTrue(async () => {
      const answer = await this.#call(modelReady, writeMessage(modelReady.input, { name }), options);
      return readMessage(modelReady.output, answer).ready;
    });
  }

  async serverMetadata(options: CallOptions = {}): Promise<ServerMetadata> {
    const { input, output } = grpcMethods.serverMetadata;
    const answer = await this.#call(grpcMethods.serverMetadata, writeMessage(input, {}), options);
    return this.#read(() => readMessage(output, answer));
  }

  async modelMetadata(name: string, options: CallOptions = {}): Promise<ModelMetadata> {
    const message = writeMessage(grpcMethods.modelMetadata.input, { name });
    const answer = await this.#call(grpcMethods.modelMetadata, message, options);
    return this.#read(() => readGrpcMetadata(answer));
  }

  modelNames(): Promise<readonly string[]> {
    return Promise.reject(
      new AppError('NOT_FOUND', `${this.url} lists no models: the protocol has no list over gRPC.`),
    );
  }

  async infer(model: string, request: InferRequest, options: CallOptions = {}): Promise<InferResponse> {
    const message = writeGrpcRequest(model, request, this.#raw);
    const answer = await this.#call(grpcMethods.modelInfer, message, options);
    return this.#read(() =>
      readGrpcResponse(ownedMessage(answer, { kind: 'response', maxBytes: this.#maxAnswerBytes })),
    );
  }

  close(): void {
    this.#closeOnceSettled(Date.now() + CONNECTING_PATIENCE_MS);
  }

  /** Closes once no connection attempt is running or scheduled: an attempt would outlive the client. */
  #closeOnceSettled(deadlineMs: number): void {
    const channel = this.#client.getChannel();
    const state = channel.getConnectivityState(false);
    if (!UNSETTLED.has(state) || Date.now() >= deadlineMs) this.#client.close();
    // A channel closed inside the state-change callback would connect again.
    else
      channel.watchConnectivityState(state, deadlineMs, () => setImmediate(() => this.#closeOnceSettled(deadlineMs)));
  }

  #call(
    method: Method,
    message: Uint8Array,
    { timeoutMs = clientDefaults.timeoutMs, signal, headers }: CallOptions,
  ): Promise<Uint8Array> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted === true) {
        reject(givenUp(this.url));
        return;
      }
      const bytes = (part: Buffer) => part;
      const sent = Buffer.from(message.buffer, message.byteOffset, message.byteLength);
      const deadline = { deadline: Date.now() + timeoutMs };
      const done = (error: ServiceError | null, answer?: Buffer) => {
        signal?.removeEventListener('abort', onAbort);
        if (error !== null) reject(this.#failure(error, { timeoutMs, aborted: signal?.aborted === true }));
        else resolve(answer ?? new Uint8Array(0));
      };
      const call = this.#client.makeUnaryRequest(
        grpcPath(method),
        bytes,
        bytes,
        sent,
        this.#metadataOf(headers),
        deadline,
        done,
      );
      const onAbort = () => call.cancel();
      signal?.addEventListener('abort', onAbort, { once: true });
    });
  }

  #metadataOf(headers: CallOptions['headers']): Metadata {
    if (headers === undefined) return this.#metadata;
    const metadata = this.#metadata.clone();
    for (const [name, value] of Object.entries(headers)) metadata.set(name, value);
    return metadata;
  }

  #failure(
    { code, details, metadata, message }: ServiceError,
    { timeoutMs, aborted }: { readonly timeoutMs: number; readonly aborted: boolean },
  ): AppError {
    if (aborted) return givenUp(this.url);
    const answered = Object.keys(metadata?.getMap() ?? {}).length > 0;
    const kind = codeOfGrpc(code, answered);
    if (kind === 'UNREACHABLE') return unreachable(this.url, new Error(details || message), UNSENT.test(details));
    // This client refuses an answer that is too large, with the same status as a server without capacity.
    if (kind === 'DROPPED' && !answered && details.includes('larger than'))
      return corruptAnswer(this.url, new Error(`more than ${this.#maxAnswerBytes} bytes.`));
    if (kind === 'DEADLINE_PASSED' && !answered) return tookTooLong(this.url, timeoutMs);
    const pushbackMs = Number(metadata?.get('grpc-retry-pushback-ms')[0]);
    return serverFailure(kind, {
      url: this.url,
      status: status[code],
      message: details,
      retryAfterMs: pushbackMs > 0 ? pushbackMs : undefined,
    });
  }

  #read<Value>(read: () => Value): Value {
    try {
      return read();
    } catch (error) {
      throw error instanceof AppError ? corruptAnswer(this.url, error) : error;
    }
  }
}

type Method = Parameters<typeof grpcPath>[0];

/** False also if the call fails or its answer cannot be read. For a health check, both mean unhealthy. */
async function isTrue(ask: () => Promise<boolean>): Promise<boolean> {
  try {
    return await ask();
  } catch {
    return false;
  }
}

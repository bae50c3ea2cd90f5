import type { InferRequest, InferResponse, ModelMetadata, ServerMetadata } from '@equipoise/open-inference-codec';

/** Options of a call; `timeoutMs` defaults to 60 s. */
export interface CallOptions {
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
  /** Headers of this call, such as a trace context; metadata over gRPC. */
  readonly headers?: Readonly<Record<string, string>> | undefined;
}

/**
 * Client of one Open Inference server, over REST or gRPC. Calls reject with INVALID_INPUT (request rejected),
 * NOT_FOUND, DROPPED (overloaded: retryable; or cancelled), DEADLINE_PASSED, STAGE_FAILED (failed, or invalid answer)
 * or UNREACHABLE (no connection or a broken one, retryable). `details` has the status, and `retryAfterMs` if given.
 */
export interface InferenceClient {
  readonly url: string;
  /** False also if the call fails or its answer cannot be read. */
  serverLive(options?: CallOptions): Promise<boolean>;
  /** False also if the call fails or its answer cannot be read. */
  serverReady(options?: CallOptions): Promise<boolean>;
  /** False also if the call fails or its answer cannot be read. */
  modelReady(model: string, options?: CallOptions): Promise<boolean>;
  serverMetadata(options?: CallOptions): Promise<ServerMetadata>;
  modelMetadata(model: string, options?: CallOptions): Promise<ModelMetadata>;
  /** Names of the models that are ready. NOT_FOUND if the server does not list them, as over gRPC. */
  modelNames(options?: CallOptions): Promise<readonly string[]>;
  /** Tensors of the answer are views of its bytes where possible. */
  infer(model: string, request: InferRequest, options?: CallOptions): Promise<InferResponse>;
  /** Aborts running REST calls; running gRPC calls finish. */
  close(): void;
}

/** Decodes an answer in another thread, to which the memory of the bytes moves. Rejects with an AppError. */
export type AnswerDecoder = (body: {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly jsonLength: number | undefined;
}) => Promise<InferResponse>;

export interface ClientOptions {
  /** True (default) for raw tensors; false for JSON (REST) or typed contents (gRPC). */
  readonly raw?: boolean;
  /** Maximum bytes of an answer; default 256 MiB. */
  readonly maxAnswerBytes?: number;
  readonly token?: string;
  /** Headers of requests; metadata over gRPC. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Repeats a REST call whose persistent connection broke at once; default true. */
  readonly mayRepeat?: boolean;
  /** Decodes answers over REST with large JSON; default: this thread does. */
  readonly decodeLarge?: AnswerDecoder;
}

export function headersOf({ headers = {}, token }: ClientOptions): Readonly<Record<string, string>> {
  return token === undefined ? headers : { ...headers, authorization: `Bearer ${token}` };
}

export const clientDefaults = {
  raw: true,
  maxAnswerBytes: 256 * 1024 * 1024,
  mayRepeat: true,
  timeoutMs: 60_000,
} as const;

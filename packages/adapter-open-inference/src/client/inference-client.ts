import type { InferRequest, InferResponse, ModelMetadata, ServerMetadata } from '@equipoise/open-inference-codec';

/** Longest duration of a call (ms, default 60 s), and a signal that cancels it. */
export interface CallOptions {
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
}

/**
 * Client of one Open Inference server, over REST or gRPC. Concurrent calls share its connections. Calls reject with
 * INVALID_INPUT (request refused), NOT_FOUND, DROPPED (overloaded, retryable), DEADLINE_PASSED, STAGE_FAILED (failed,
 * or an invalid answer) or UNREACHABLE (no or broken connection, retryable). `details` has the status, and
 * `retryAfterMs` if given.
 */
export interface InferenceClient {
  readonly url: string;
  /** Returns false also if the server is unreachable. */
  serverLive(options?: CallOptions): Promise<boolean>;
  /** Returns false also if the server is unreachable. */
  serverReady(options?: CallOptions): Promise<boolean>;
  /** Returns false also for an unknown model or an unreachable server. */
  modelReady(model: string, options?: CallOptions): Promise<boolean>;
  serverMetadata(options?: CallOptions): Promise<ServerMetadata>;
  modelMetadata(model: string, options?: CallOptions): Promise<ModelMetadata>;
  /** Runs a model. Tensors of the answer are views of its bytes where possible. */
  infer(model: string, request: InferRequest, options?: CallOptions): Promise<InferResponse>;
  /** Closes the connections and aborts running calls. */
  close(): void;
}

export interface ClientOptions {
  /** Sends tensors raw (default) or as JSON (REST) or typed contents (gRPC). */
  readonly raw?: boolean;
  /** Largest answer in bytes; default 256 MiB. */
  readonly maxAnswerBytes?: number;
  /** Bearer token for the server. */
  readonly token?: string;
  /** Headers of every call; metadata over gRPC. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Allows a repeated call after a kept connection broke; default true. */
  readonly mayRepeat?: boolean;
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

/** What a client of an Open Inference server can do, over REST and gRPC alike. */
import type { InferRequest, InferResponse, ModelMetadata, ServerMetadata } from '@equipoise/open-inference-codec';

/** How long a call may take (ms; 60 s when left out), and a signal that gives it up. */
export interface CallOptions {
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
}

/**
 * A client of one server; calls may run at the same time and share its connections. They reject with AppError: INVALID_INPUT (the server
 * refuses the request), NOT_FOUND, DROPPED (it has too much to do, retryable), DEADLINE_PASSED, STAGE_FAILED (it failed, or answered what
 * is no answer) and UNREACHABLE (no connection, or it broke, retryable). `details` have the status, and `retryAfterMs` if it said so.
 */
export interface InferenceClient {
  readonly url: string;
  /** Whether the server runs; false also when it cannot be reached. */
  serverLive(options?: CallOptions): Promise<boolean>;
  /** Whether the server is ready; false also when it cannot be reached. */
  serverReady(options?: CallOptions): Promise<boolean>;
  /** Whether a model is ready; false also when there is none or the server cannot be reached. */
  modelReady(model: string, options?: CallOptions): Promise<boolean>;
  serverMetadata(options?: CallOptions): Promise<ServerMetadata>;
  modelMetadata(model: string, options?: CallOptions): Promise<ModelMetadata>;
  /** Runs a model; the answer's tensors are views of its bytes where they can be. */
  infer(model: string, request: InferRequest, options?: CallOptions): Promise<InferResponse>;
  /** Lets go of the connections; calls that run are cut off. */
  close(): void;
}

/** What all clients can be told. */
export interface ClientOptions {
  /** Whether tensors travel raw or as JSON (REST) or typed contents (gRPC); raw when left out. */
  readonly raw?: boolean;
  /** Most bytes that an answer may have; 256 MiB when left out. */
  readonly maxAnswerBytes?: number;
  /** Shown to the server as a bearer token. */
  readonly token?: string;
  /** Go with every call, as metadata over gRPC. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Whether the server may run a call twice, as it can happen where a kept connection breaks; true when left out. */
  readonly mayRepeat?: boolean;
}

/** What goes with every call: the headers asked for, and the token. */
export function headersOf({ headers = {}, token }: ClientOptions): Readonly<Record<string, string>> {
  return token === undefined ? headers : { ...headers, authorization: `Bearer ${token}` };
}

/** What a client does where it is told nothing. */
export const clientDefaults = {
  raw: true,
  maxAnswerBytes: 256 * 1024 * 1024,
  mayRepeat: true,
  timeoutMs: 60_000,
} as const;

/**
 * An endpoint of REST: a function from a request to an answer. It needs no socket and refuses by throwing an AppError.
 */
import { largeJson } from '@equipoise/open-inference-codec';
import type { CancelSignal } from '../../data-plane/cancellation.js';
import type { Answer } from '../../net/answer.js';
import type { BodyLayout, BodyLimit } from '../../net/body.js';
import type { ServingPhase } from '../../net/drain.js';
import type { TraceParent } from '../../trace/trace-context.js';
import type { AnswerFeed } from '../answer-feed.js';
import { type Decoded, decoders, type JsonBody } from '../decoding/decoders.js';
import type { LargeRequests } from '../decoding/large-requests.js';
import type { LargeAnswers } from '../large-answers.js';
import { pipelineByName, type ServedPipeline } from '../served-pipeline.js';
import { MOST_QUESTION_BYTES } from '../serving-rules.js';
import type { StartupHold } from '../startup-hold.js';
import type { Tenant } from '../tenants/tenants.js';

export interface RestRequest {
  readonly pipelines: ReadonlyMap<string, ServedPipeline>;
  /** Decoded `{pipeline}` of the path; empty if the path has none. */
  readonly pipelineName: string;
  readonly requestId: string;
  /** Undefined if the server has no tenants. */
  readonly tenant: Tenant | undefined;
  /** Media type without parameters, in lower case; undefined if the client stated none. */
  readonly mediaType: string | undefined;
  readonly query: URLSearchParams;
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
  /** Trace of the caller. */
  readonly traceParent: TraceParent | undefined;
  /** Aborts when the client goes away. */
  readonly signal: CancelSignal;
  readonly phase: ServingPhase;
  /** False once the server drains. */
  readonly isServing: () => boolean;
  readonly hold: StartupHold;
  /** Arrival at the server that forwarded the request, on the runner's clock; default now. */
  readonly arrivedAtMs?: number;
  /** Rejects with the errors of `readBody` in body.ts. */
  readonly readBody: (layout?: BodyLayout, limit?: BodyLimit) => Promise<Uint8Array<ArrayBuffer>>;
  readonly maxJsonBytes: number;
  /** Clients that listen to answers. */
  readonly answers: AnswerFeed;
  readonly largeRequests: LargeRequests;
  readonly largeAnswers: LargeAnswers;
  readonly connection: object;
}

export type Endpoint = (request: RestRequest) => Answer | Promise<Answer>;

export function readJsonBody({ readBody, maxJsonBytes }: RestRequest): Promise<Uint8Array<ArrayBuffer>> {
  const limit = { mostBytes: maxJsonBytes, error: () => largeJson(maxJsonBytes) };
  return readBody({ alignAt: 0, isTransient: true }, limit);
}

/** Body of a request other than inference. */
export function readQuestion({ readBody }: RestRequest): Promise<Uint8Array> {
  const limit = { mostBytes: MOST_QUESTION_BYTES, error: () => largeJson(MOST_QUESTION_BYTES) };
  return readBody({ alignAt: 0, isTransient: true }, limit);
}

/** JSON up to this size is decoded in this thread. It takes at most about 1 ms, whatever it contains. */
const SMALL_JSON_BYTES = 8 * 1024;
/** Larger JSON would make other requests wait, so another thread decodes it. */
const MEDIUM_JSON_BYTES = 256 * 1024;

export function decodeJson<K extends 'infer' | 'run'>(
  request: RestRequest,
  kind: K,
  body: JsonBody,
): Decoded<K> | Promise<Decoded<K>> {
  const { largeRequests } = request;
  const here = () => decoders[kind](body) as Decoded<K>;
  const jsonBytes = body.jsonLength ?? body.bytes.length;
  if (jsonBytes <= SMALL_JSON_BYTES) return here();
  if (jsonBytes > MEDIUM_JSON_BYTES) return largeRequests.decode(request, kind, body);
  if (largeRequests.mayDecodeHere) return largeRequests.mediumWork.count(here);
  // A small body without raw tensors may share the memory of the transport, which must not leave this thread.
  const bytes = body.jsonLength === undefined ? new Uint8Array(body.bytes) : body.bytes;
  return largeRequests.decode(request, kind, { ...body, bytes });
}

/** Id of the request in its header, if the client stated a valid one. */
export function statedId({ headers, requestId }: RestRequest): string | undefined {
  return headers['x-request-id'] === requestId ? requestId : undefined;
}

export function pipelineOf({ pipelines, pipelineName }: RestRequest): ServedPipeline {
  return pipelineByName(pipelines, pipelineName);
}

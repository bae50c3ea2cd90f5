/** An endpoint of REST: a function from a request to an answer that needs no socket and refuses by throwing an AppError. */
import type { CancelSignal } from '../../data-plane/cancellation.js';
import type { Answer } from '../../net/answer.js';
import type { BodyLayout } from '../../net/body.js';
import type { ServingPhase } from '../../net/drain.js';
import { pipelineByName, type ServedPipeline } from '../served-pipeline.js';

/** A request to an endpoint. */
export interface RestRequest {
  readonly pipelines: ReadonlyMap<string, ServedPipeline>;
  /** The decoded `{pipeline}` of the path; empty if the path has none. */
  readonly pipelineName: string;
  readonly requestId: string;
  /** Media type without parameters, lower case; undefined if the client stated none. */
  readonly mediaType: string | undefined;
  readonly query: URLSearchParams;
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
  /** Aborts when the client goes away. */
  readonly signal: CancelSignal;
  readonly phase: ServingPhase;
  /** Arrival on the runner's clock, for requests that another server has had before; otherwise now. */
  readonly arrivedAtMs?: number;
  /** Reads the whole body; rejects with AppError BODY_TOO_LARGE, UNSUPPORTED_MEDIA_TYPE or MALFORMED_REQUEST. */
  readonly readBody: (layout?: BodyLayout) => Promise<Uint8Array<ArrayBuffer>>;
}

/** Answers one kind of request. */
export type Endpoint = (request: RestRequest) => Answer | Promise<Answer>;

/** The requested pipeline; AppError NOT_FOUND lists the served ones. */
export function pipelineOf({ pipelines, pipelineName }: RestRequest): ServedPipeline {
  return pipelineByName(pipelines, pipelineName);
}

/** What an endpoint is: a function from a call to an answer, so that it needs no socket; it refuses by throwing an AppError. */
import type { CancelSignal } from '../data-plane/cancellation.js';
import type { Answer } from './answer.js';
import { pipelineByName } from './pipeline-by-name.js';
import type { BodyLayout } from './read-body.js';
import type { ServedPipeline } from './served-pipeline.js';
import type { ServingPhase } from './serving-phase.js';

/** A request as an endpoint sees it. */
export interface Call {
  readonly pipelines: ReadonlyMap<string, ServedPipeline>;
  /** The `{pipeline}` of the path, decoded; empty where the path has none. */
  readonly pipelineName: string;
  readonly requestId: string;
  /** Media type without parameters, lower case; undefined when the client named none. */
  readonly mediaType: string | undefined;
  readonly query: URLSearchParams;
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
  /** Aborts when the client goes away. */
  readonly signal: CancelSignal;
  readonly phase: ServingPhase;
  /** When it came, on the clock of its pipeline's runner, where it was at another server since; left out, when it is handed to the runner. */
  readonly arrivedAtMs?: number;
  /** Reads the whole body; rejects with AppError BODY_TOO_LARGE, UNSUPPORTED_MEDIA_TYPE or MALFORMED_REQUEST. */
  readonly readBody: (layout?: BodyLayout) => Promise<Uint8Array<ArrayBuffer>>;
}

/** Answers one kind of call. */
export type Endpoint = (call: Call) => Answer | Promise<Answer>;

/** The pipeline that a call names; AppError NOT_FOUND lists those that exist. */
export function pipelineOf({ pipelines, pipelineName }: Call): ServedPipeline {
  return pipelineByName(pipelines, pipelineName);
}

/** What a method is: a function from the bytes of a request to those of an answer; it refuses by throwing an AppError and needs no socket. */
import { AppError } from '@equipoise/core/model';
import type { CancelSignal } from '../../data-plane/cancellation.js';
import { pipelineByName } from '../pipeline-by-name.js';
import type { ServedPipeline } from '../served-pipeline.js';
import type { ServingPhase } from '../serving-phase.js';

/** A call as a method sees it. */
export interface GrpcCall {
  readonly pipelines: ReadonlyMap<string, ServedPipeline>;
  readonly requestId: string;
  /** Time that is left until the deadline of the client, in ms; undefined without one. */
  readonly remainingMs: number | undefined;
  /** Aborts when the client goes away, cancels, or its deadline passes. */
  readonly signal: CancelSignal;
  readonly phase: ServingPhase;
  readonly maxBodyBytes: number;
}

/** Answers one kind of call. */
export type GrpcMethod = (message: Uint8Array, call: GrpcCall) => Uint8Array | Promise<Uint8Array>;

/** A pipeline by name and version; AppError NOT_FOUND when there is none, or when a version is asked for: pipelines have none. */
export function pipelineOfVersion({ pipelines }: GrpcCall, name: string, version: string): ServedPipeline {
  const pipeline = pipelineByName(pipelines, name);
  refuseVersion(name, version);
  return pipeline;
}

/** AppError NOT_FOUND unless the version is empty. */
export function refuseVersion(name: string, version: string): void {
  if (version === '') return;
  throw new AppError('NOT_FOUND', `Pipelines have no versions; leave the version of ${name} empty.`);
}

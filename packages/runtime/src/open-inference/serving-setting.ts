/** What all requests to a server have in common, over REST and gRPC alike. */
import { AppError } from '@equipoise/core/model';
import type { BytesInFlight } from '../data-plane/bytes-in-flight.js';
import { StageFailure } from '../data-plane/stage-failure.js';
import { warnOfDefect } from '../data-plane/turn-queue.js';
import type { AnsweredCall } from './answered-call.js';
import type { ServedPipeline } from './served-pipeline.js';
import type { ServingPhase } from './serving-phase.js';
import type { Tenants } from './tenants/tenants.js';

/** The pipelines served, the limits, and who is told of what goes wrong. */
export interface ServingSetting {
  readonly pipelines: ReadonlyMap<string, ServedPipeline>;
  readonly version: string;
  readonly maxBodyBytes: number;
  /** Bytes of the bodies that are being read, over all connections. */
  readonly arriving: BytesInFlight;
  /** Bytes of the answers to requests that are being written, over all connections. */
  readonly leaving: BytesInFlight;
  /** Whose token clients have to show; undefined lets everybody in. */
  readonly tenants: Tenants | undefined;
  /** Longest time from the first byte of a request to its last. */
  readonly requestTimeoutMs: number;
  readonly phase: () => ServingPhase;
  /** Told of what is thrown that is no AppError: a defect of the server. */
  readonly onDefect: (error: unknown) => void;
  /** Told of every request that a stage failed, with what the stage said as the `cause`. */
  readonly onStageFailure: (failure: StageFailure) => void;
  /** Told of every answer, but for those to probes and to who reads the metrics; must not throw. */
  readonly onAnswer: (call: AnsweredCall) => void;
}

/** Tells who has to know; a listener that throws must not cost the client its answer. */
export function reportFailure({ onDefect, onStageFailure }: ServingSetting, error: unknown): void {
  try {
    if (error instanceof StageFailure) onStageFailure(error);
    else if (!(error instanceof AppError)) onDefect(error);
  } catch (again) {
    warnOfDefect(again);
  }
}

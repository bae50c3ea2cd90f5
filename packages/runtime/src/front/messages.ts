/**
 * What the main process and a front process say to each other. The main process starts front processes and both are of the same build, so
 * messages are taken at their word. Instants are those of the monotonic clock of the system, which all processes of a machine share.
 */
import { AppError, type DropReason, type ErrorCode, type PipelineSpec } from '@equipoise/core/model';
import type { PipelineOutcome } from '../data-plane/pending-request.js';
import type { AnsweredCall } from '../open-inference/answered-call.js';
import type { ServingPhase } from '../open-inference/serving-phase.js';
import type { SeenTypes } from '../open-inference/stage-types.js';
import type { TenantDigests } from '../open-inference/tenants/tenants.js';
import type { TensorFrame } from './frame-link.js';

/** How far the server is, and its pipelines by name. */
export interface ServingState {
  readonly phase: ServingPhase;
  readonly pipelines: Readonly<Record<string, { readonly ready: boolean; readonly types: SeenTypes }>>;
}

/** A certificate with its chain and its key, in PEM, as base64. */
export interface SentIdentity {
  readonly cert: string;
  readonly key: string;
}

/** What a front serves, and where. */
export interface FrontSetting {
  readonly specs: readonly PipelineSpec[];
  readonly version: string;
  readonly host?: string;
  readonly port: number;
  readonly grpcPort?: number;
  readonly maxBodyBytes?: number;
  readonly maxArrivingBytes?: number;
  readonly maxLeavingBytes?: number;
  readonly requestTimeoutMs?: number;
  readonly tenants?: TenantDigests;
  readonly identity?: SentIdentity;
  /** Of the metrics page, where there is one. */
  readonly metricsType?: string;
}

/** To a front, which answers every `state` with its number. An `outcome` that is completed has its output as the one tensor map beside it. */
export type ToFront =
  | { readonly kind: 'begin'; readonly setting: FrontSetting; readonly state: ServingState }
  | { readonly kind: 'state'; readonly state: ServingState; readonly number: number }
  | { readonly kind: 'tenants'; readonly tenants: TenantDigests }
  | { readonly kind: 'identity'; readonly identity: SentIdentity }
  | { readonly kind: 'outcome'; readonly id: number; readonly outcome: SentOutcome }
  | { readonly kind: 'taken'; readonly id: number; readonly waitMs: number }
  | { readonly kind: 'page'; readonly id: number; readonly text?: string }
  | { readonly kind: 'leave'; readonly withinMs: number }
  | { readonly kind: 'close'; readonly timeoutMs: number };

/** From a front. A `run` has the inputs as the one tensor map beside it. */
export type FromFront =
  | { readonly kind: 'listening'; readonly url: string; readonly grpcAddress?: string }
  | { readonly kind: 'refused'; readonly error: SentError }
  | { readonly kind: 'alive'; readonly number: number }
  | SentRun
  | { readonly kind: 'cancel'; readonly id: number }
  | { readonly kind: 'take'; readonly id: number; readonly tenant: string }
  | { readonly kind: 'page'; readonly id: number; readonly names?: readonly string[] }
  | { readonly kind: 'answered'; readonly calls: readonly AnsweredCall[] }
  | { readonly kind: 'defect'; readonly what: string }
  | { readonly kind: 'left' }
  | { readonly kind: 'closed' };

/** A request to a pipeline. */
export interface SentRun {
  readonly kind: 'run';
  readonly id: number;
  readonly pipeline: string;
  /** When the front had read it: its time runs from then on. */
  readonly arrivedAtMs: number;
  readonly timeoutMs?: number;
  readonly priority?: number;
}

/** An AppError without its cause. */
export interface SentError {
  readonly code: ErrorCode;
  readonly message: string;
  readonly details: AppError['details'];
  readonly retryable: boolean;
}

/** How a request ended, without the tensors. */
export type SentOutcome =
  | { readonly kind: 'completed'; readonly missing?: readonly string[] }
  | { readonly kind: 'dropped'; readonly reason: DropReason; readonly retryAfterMs: number }
  | { readonly kind: 'failed'; readonly error: SentError };

/** Now, on the clock that all processes of the machine share. */
export function sharedNowMs(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}

/** An error as it is sent. */
export function sentError({ code, message, details, retryable }: AppError): SentError {
  return { code, message, details, retryable };
}

/** The error that was sent. */
export function receivedError({ code, message, details, retryable }: SentError): AppError {
  return new AppError(code, message, { details, retryable });
}

/** An outcome as it is sent; its tensors travel beside it. */
export function sentOutcome(outcome: PipelineOutcome): SentOutcome {
  switch (outcome.kind) {
    case 'completed':
      return { kind: 'completed', ...(outcome.missing && { missing: outcome.missing }) };
    case 'dropped':
      return outcome;
    case 'failed':
      return { kind: 'failed', error: sentError(outcome.failure) };
  }
}

/** The outcome that was sent, with the tensors beside it. */
export function receivedOutcome(outcome: SentOutcome, tensors: TensorFrame['tensors']): PipelineOutcome {
  switch (outcome.kind) {
    case 'completed':
      return { ...outcome, output: tensors[0] ?? {} };
    case 'dropped':
      return outcome;
    case 'failed':
      return { kind: 'failed', failure: receivedError(outcome.error) };
  }
}

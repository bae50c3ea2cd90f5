/**
 * What the near end of a replica and its far end (a thread or a process) say to each other. The first message is `load`; after `ready`
 * one batch at a time: the far end answers each `run` with one `result`; after `close` it closes the stage, says `closed` and ends by
 * itself. Errors travel as plain values.
 */
import type { Resources, TensorMap } from '@equipoise/core/model';
import type { LoadableVariant } from '@equipoise/core/ports';
import type { ModuleLocation } from '../stage-module/stage-module-loader.js';

/** An error as it travels: `code` when the thrown value had one. */
export interface ReplicaError {
  readonly code?: string;
  readonly message: string;
}

/** What a replica loads. */
export interface ReplicaStart {
  readonly module: ModuleLocation;
  readonly variant: LoadableVariant;
  readonly resources: Resources;
}

/** Answer for one item: its output, or whose fault the failure is. */
export type ReplicaItem =
  | { readonly kind: 'ok'; readonly output: TensorMap }
  | { readonly kind: 'invalid-input'; readonly message: string }
  | { readonly kind: 'stage-failed'; readonly message: string };

/** From the near end to the far end. */
export type ToReplica =
  | { readonly kind: 'load'; readonly start: ReplicaStart }
  | { readonly kind: 'run'; readonly batch: readonly TensorMap[] }
  | { readonly kind: 'close' };

/** From the far end to the near end. */
export type FromReplica =
  | { readonly kind: 'ready' }
  | { readonly kind: 'load-failed'; readonly error: ReplicaError }
  | { readonly kind: 'result'; readonly items: readonly ReplicaItem[]; readonly serviceMs: number }
  | { readonly kind: 'closed'; readonly error?: ReplicaError };

/** Any thrown value as a ReplicaError. */
export function replicaError(thrown: unknown): ReplicaError {
  const { code, message } = (thrown ?? {}) as { readonly code?: unknown; readonly message?: unknown };
  return {
    ...(typeof code === 'string' ? { code } : {}),
    message: typeof message === 'string' ? message : String(thrown),
  };
}

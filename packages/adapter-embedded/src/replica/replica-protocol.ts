/**
 * Messages between the near end of a replica and its far end (a thread or a process). The first is `load`. After
 * `ready` the far end answers each `run` with one `result`, one batch at a time. After `close` it closes the stage,
 * sends `closed` and ends. Errors travel as plain values.
 */
import type { Resources, TensorMap } from '@equipoise/core/model';
import type { LoadableVariant } from '@equipoise/core/ports';
import type { ModuleLocation } from '../stage-module/stage-module-loader.js';

/** An error in transit, with the `code` of the thrown value. */
export interface ReplicaError {
  readonly code?: string;
  readonly message: string;
}

/** Everything that a replica loads. */
export interface ReplicaStart {
  readonly module: ModuleLocation;
  readonly variant: LoadableVariant;
  readonly resources: Resources;
}

/** Answer for one item: its output, or the failure and its cause. */
export type ReplicaItem =
  | { readonly kind: 'ok'; readonly output: TensorMap }
  | { readonly kind: 'invalid-input'; readonly message: string }
  | { readonly kind: 'stage-failed'; readonly message: string };

export type ToReplica =
  | { readonly kind: 'load'; readonly start: ReplicaStart }
  | { readonly kind: 'run'; readonly batch: readonly TensorMap[] }
  | { readonly kind: 'close' };

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

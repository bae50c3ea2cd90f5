/**
 * Messages between the server and a replica. The first message is `load`, answered by `ready` or `load-failed`. Each
 * `run` gets one `result`, one batch at a time. After `close` the replica closes the stage, sends `closed` and exits. Errors are sent
 * as plain values.
 */
import type { Resources, TensorMap } from '@equipoise/core/model';
import type { LoadableVariant } from '@equipoise/core/ports';
import type { ModuleLocation } from '../stage-module/stage-module-loader.js';

export interface ReplicaError {
  readonly code?: string;
  readonly message: string;
}

export interface ReplicaStart {
  readonly module: ModuleLocation;
  readonly variant: LoadableVariant;
  readonly resources: Resources;
}

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
  | {
      readonly kind: 'result';
      readonly items: readonly ReplicaItem[];
      readonly serviceMs: number;
      /** See `BatchResult`. */
      readonly cpuMs?: number | undefined;
    }
  | { readonly kind: 'closed'; readonly error?: ReplicaError };

/** False for messages that a stage module, or a package of it, posts to the server itself. */
export function isFromReplica(message: unknown): message is FromReplica {
  if (!isObject(message)) return false;
  const { kind, error, items, serviceMs } = message;
  if (kind === 'ready') return true;
  if (kind === 'closed') return error === undefined || isObject(error);
  if (kind === 'load-failed') return isObject(error);
  return kind === 'result' && Array.isArray(items) && items.every(isObject) && typeof serviceMs === 'number';
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null;
}

export function replicaError(thrown: unknown): ReplicaError {
  const { code, message } = (thrown ?? {}) as { readonly code?: unknown; readonly message?: unknown };
  return {
    ...(typeof code === 'string' ? { code } : {}),
    message: typeof message === 'string' ? message : String(thrown),
  };
}

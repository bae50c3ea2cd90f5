/**
 * What a launcher and its replica thread say to each other. One batch at a time: after `run` the thread answers with one
 * `result`; after `close` it closes the stage, says `closed` and ends by itself. Errors travel as plain values.
 */
import type { LoadableVariant, Resources, TensorMap } from '@equipoise/core';
import type { ModuleLocation } from '../stage-module/stage-module-loader.js';

/** An error as it travels: `code` when the thrown value had one. */
export interface ThreadError {
  readonly code?: string;
  readonly message: string;
}

/** What a thread is started with. */
export interface ThreadStart {
  readonly module: ModuleLocation;
  readonly variant: LoadableVariant;
  readonly resources: Resources;
}

/** Answer for one item: its output, or whose fault the failure is. */
export type ThreadItem =
  | { readonly kind: 'ok'; readonly output: TensorMap }
  | { readonly kind: 'invalid-input'; readonly message: string }
  | { readonly kind: 'stage-failed'; readonly message: string };

/** From the launcher to the thread. */
export type ToThread = { readonly kind: 'run'; readonly batch: readonly TensorMap[] } | { readonly kind: 'close' };

/** From the thread to the launcher. */
export type FromThread =
  | { readonly kind: 'ready' }
  | { readonly kind: 'load-failed'; readonly error: ThreadError }
  | { readonly kind: 'result'; readonly items: readonly ThreadItem[]; readonly serviceMs: number }
  | { readonly kind: 'closed'; readonly error?: ThreadError };

/** Any thrown value as a ThreadError. */
export function threadError(thrown: unknown): ThreadError {
  const { code, message } = (thrown ?? {}) as { readonly code?: unknown; readonly message?: unknown };
  return {
    ...(typeof code === 'string' ? { code } : {}),
    message: typeof message === 'string' ? message : String(thrown),
  };
}

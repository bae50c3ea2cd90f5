/** How a request ends. Every arrived request ends exactly once; a drop is answered, never silent. */

/** Why a request was refused or given up. */
export type DropReason =
  | 'queue-full'
  | 'memory-full'
  | 'deadline-unreachable'
  | 'deadline-passed'
  | 'no-ready-replica'
  | 'draining'
  | 'cancelled';

/** The end of a request. */
export type RequestOutcome<Output, Failure> =
  | {
      readonly kind: 'completed';
      readonly output: Output;
      /** What joins went on without, as `stage[item]`: the stage from which it was to come, and its place. */
      readonly missing?: readonly string[];
    }
  | {
      readonly kind: 'dropped';
      readonly reason: DropReason;
      /** Time (ms) after which what waits now is expected to be done. */
      readonly retryAfterMs: number;
    }
  | { readonly kind: 'failed'; readonly failure: Failure };

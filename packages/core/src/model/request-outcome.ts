/** End of a request. Every request ends exactly once. A drop is answered, never silent. */

export type DropReason =
  | 'queue-full'
  | 'memory-full'
  | 'deadline-unreachable'
  | 'deadline-passed'
  | 'no-ready-replica'
  | 'draining'
  | 'cancelled';

export type RequestOutcome<Output, Failure> =
  | {
      readonly kind: 'completed';
      readonly output: Output;
      /** Parts that joins went without, as `stage[item]`: source stage and position. */
      readonly missing?: readonly string[];
    }
  | {
      readonly kind: 'dropped';
      readonly reason: DropReason;
      /** Time (ms) until the waiting work is expected to be done. */
      readonly retryAfterMs: number;
    }
  | { readonly kind: 'failed'; readonly failure: Failure };

/** Every request has exactly one outcome. Dropped requests are answered, too. */

export type DropReason =
  | 'queue-full'
  | 'wait-too-long'
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
      /** Lost parts that joins tolerated, each as `stage[item]` of its source. */
      readonly missing?: readonly string[];
    }
  | {
      readonly kind: 'dropped';
      readonly reason: DropReason;
      /** Time (ms) in which the waiting requests should be done. */
      readonly retryAfterMs: number;
    }
  | { readonly kind: 'failed'; readonly failure: Failure };

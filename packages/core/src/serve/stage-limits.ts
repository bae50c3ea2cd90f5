/** Bounds that hold for all stages alike. */
export interface StageLimits {
  readonly maxQueueLength: number;
  /** Off only for verification, where a drop would hide a miss. */
  readonly dropLate: boolean;
  /** See `AdmissionSpec`; no bound when left out. */
  readonly maxWaitFraction?: number | undefined;
  /** Least shares of the priorities (see `PrioritySpec`); one priority when left out. */
  readonly priorityShares?: readonly number[];
}

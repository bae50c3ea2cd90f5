/** Bounds of all stages. */
export interface StageLimits {
  readonly maxQueueLength: number;
  /** Off only for verification, where a drop would hide a miss. */
  readonly dropLate: boolean;
  /** See `AdmissionSpec`; default no bound. */
  readonly maxWaitFraction?: number | undefined;
  /** Guaranteed shares of the priorities (see `PrioritySpec`); default one priority. */
  readonly priorityShares?: readonly number[];
}

/**
 * Outcomes of one side of a canary. `missed`: late, dropped or failed. The new side omits items that failed in both
 * lanes.
 */
export interface SideCount {
  readonly ended: number;
  readonly missed: number;
  readonly failed?: number;
}

/**
 * Slowness (service time ÷ profiled time) of a canary. `measured`: over all batches. `tooSlow`: minimum slowness at
 * which the plan cannot carry `itemsPerSecond`. `evidence`: evidence for a slowness above `tooSlow`. `slower`: for
 * one above 1.1 (rollout/slowness.ts).
 */
export interface SlownessEvidence {
  readonly measured: number;
  readonly tooSlow: number;
  readonly itemsPerSecond: number;
  readonly slower: number;
  readonly evidence: number;
}

/** Scored or compared answers of the new side since the canary began. `loss`: sum of 1 − score. */
export interface CanaryScores {
  readonly scores: number;
  readonly loss: number;
  /** Lowest accuracy that counts as expected for the new side. */
  readonly leastExpected: number;
}

export interface CanaryCounts {
  readonly before: SideCount;
  readonly after: SideCount;
  /** Absent if nothing suggests slowness. */
  readonly slowness?: SlownessEvidence;
  /** Absent without feedback or without an expected accuracy. */
  readonly accuracy?: CanaryScores;
  /** Agreement with the shadow of the stage. Absent without one or without an expected agreement. */
  readonly agreement?: CanaryScores;
}

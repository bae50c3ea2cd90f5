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

export interface CanaryCounts {
  readonly before: SideCount;
  readonly after: SideCount;
  /** Absent if nothing suggests slowness. */
  readonly slowness?: SlownessEvidence;
}

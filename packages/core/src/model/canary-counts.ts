/** One side of a canary: `missed` were late, dropped or failed; `failed` by a fault of the side. */
export interface SideCount {
  readonly ended: number;
  readonly missed: number;
  readonly failed?: number;
}

/**
 * Service times of a canary. `measured` is time ÷ time of its profile. From the ratio `tooSlow` on, its plan does not
 * carry the stage's items. `evidence` is a likelihood ratio against any smaller one.
 */
export interface SlownessEvidence {
  readonly measured: number;
  readonly tooSlow: number;
  readonly itemsPerSecond: number;
  readonly evidence: number;
}

export interface CanaryCounts {
  readonly before: SideCount;
  readonly after: SideCount;
  /** Missing without signs of slowness. */
  readonly slowness?: SlownessEvidence;
}

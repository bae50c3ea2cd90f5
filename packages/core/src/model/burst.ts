/** A load above what was planned for. */
export interface Burst {
  /** The window, ending now, that shows it best. */
  readonly windowS: number;
  readonly arrivals: number;
  /** The most that the planned load brings there. */
  readonly plannedArrivals: number;
  /** Arrivals of the window per second: the new rate, if it began with the window. */
  readonly rateRps: number;
}

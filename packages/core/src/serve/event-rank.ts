/**
 * The total order of simultaneous events. Real time never shows two events at one instant; a simulation and a test with a manual clock
 * do, and must not differ then: at equal instants events come by rank, at equal ranks in the order in which they were arranged.
 */

/** Ranks of events, first to last: what frees replicas goes before what brings work, and looking at deadlines comes last. */
export const eventRank = {
  /** A batch has been answered, or its replica is lost. */
  answer: 0,
  /** A replica has started, or failed to. */
  start: 1,
  /** A back-off has passed, or the patience with a drain. */
  fleetAlarm: 2,
  /** A tick of the control loop. */
  tick: 3,
  arrival: 4,
  /** A client is gone. */
  cancellation: 5,
  /** What the request policies wanted to look at again. */
  servingAlarm: 6,
} as const;

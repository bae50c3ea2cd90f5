/** Total order of simultaneous events for a simulation and a manual clock: by rank, then by insertion. */

/** Ranks, first to last: events that free replicas precede those that bring work; deadlines are last. */
export const eventRank = {
  /** A batch was answered, or its replica is lost. */
  answer: 0,
  /** A replica has started, or failed to. */
  start: 1,
  /** A back-off, or the wait for a drain, has ended. */
  fleetAlarm: 2,
  tick: 3,
  arrival: 4,
  cancellation: 5,
  /** Alarm of the request policies. */
  servingAlarm: 6,
} as const;

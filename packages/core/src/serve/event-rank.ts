/** Total order of simultaneous events, for simulation and manual clocks: by rank, then by insertion. */

/** Ranks, first to last. Events that free replicas precede those that bring work. Deadlines are last. */
export const eventRank = {
  /** A batch has ended, or its replica is lost. */
  answer: 0,
  /** A replica has started, or failed to start. */
  start: 1,
  /** A back-off or the patience for a drain has ended. */
  fleetAlarm: 2,
  tick: 3,
  arrival: 4,
  cancellation: 5,
  /** Alarm of the request policies. */
  servingAlarm: 6,
} as const;

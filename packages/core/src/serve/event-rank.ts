/** Total order of simultaneous events for a simulation and a manual clock: by rank, then by insertion. */

/** Ranks, first to last: events that free replicas precede those that bring work; deadlines come last. */
export const eventRank = {
  /** A batch was answered, or its replica is lost. */
  answer: 0,
  /** A replica has started, or failed to. */
  start: 1,
  /** A back-off or the patience with a drain has passed. */
  fleetAlarm: 2,
  /** A tick of the control loop. */
  tick: 3,
  arrival: 4,
  /** A client is gone. */
  cancellation: 5,
  /** Alarm of the request policies. */
  servingAlarm: 6,
} as const;

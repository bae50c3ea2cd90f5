/** Time as an argument: milliseconds on a monotonic scale whose zero means nothing. */
export interface Clock {
  nowMs(): number;
}

/** A clock with alarms; tests put a manual one in its place. */
export interface AlarmClock extends Clock {
  /** Calls `ring` once, not before `atMs` and never inside this call; the returned function takes the alarm back. */
  ringAt(atMs: number, ring: () => void): () => void;
}

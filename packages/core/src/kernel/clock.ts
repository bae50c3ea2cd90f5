/** Monotonic time in ms with an arbitrary zero. */
export interface Clock {
  nowMs(): number;
}

export interface AlarmClock extends Clock {
  /** Calls `ring` once, not before `atMs` and never during this call. Returns its cancellation. */
  ringAt(atMs: number, ring: () => void): () => void;
}

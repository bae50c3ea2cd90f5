/** Monotonic time in ms with an arbitrary zero. */
export interface Clock {
  nowMs(): number;
}

export interface AlarmClock extends Clock {
  /** Calls `ring` once, not before `atMs` and never during this call. The returned function cancels the alarm. */
  ringAt(atMs: number, ring: () => void): () => void;
}

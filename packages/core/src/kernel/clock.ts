/** Monotonic time in ms. Its zero is arbitrary. */
export interface Clock {
  nowMs(): number;
}

export interface AlarmClock extends Clock {
  /** Calls `ring` once at or after `atMs`, never synchronously. Returns the cancel function. */
  ringAt(atMs: number, ring: () => void): () => void;
}

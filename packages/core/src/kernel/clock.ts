/** Time as an argument: milliseconds on a monotonic scale whose zero means nothing. */
export interface Clock {
  nowMs(): number;
}

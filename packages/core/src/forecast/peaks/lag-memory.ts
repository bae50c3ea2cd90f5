/** The last maxima, oldest first: the memory of methods that look at a window. */

/** `memory` with one more maximum, no longer than `lags`. */
export function remember(memory: readonly number[], maximumRps: number, lags: number): readonly number[] {
  return [...memory.slice(Math.max(0, memory.length - lags + 1)), maximumRps];
}

/** The memory filled up to `lags` with the oldest value that is known; undefined while nothing is. */
export function fullWindow(memory: readonly number[], lags: number): Float64Array | undefined {
  const [oldest] = memory;
  if (oldest === undefined) return undefined;
  const window = new Float64Array(lags).fill(oldest);
  window.set(memory.slice(-lags), Math.max(0, lags - memory.length));
  return window;
}

import type { ArrivalProcess } from './constant-rate.js';

/** All instants of a load, in ms. */
export function instantsOf(arrivals: ArrivalProcess): readonly number[] {
  const instants: number[] = [];
  for (let atMs = arrivals.nextAtMs(); atMs !== undefined; atMs = arrivals.nextAtMs()) instants.push(atMs);
  return instants;
}

export function gapsOf(instants: readonly number[]): readonly number[] {
  return instants.slice(1).map((atMs, i) => atMs - (instants[i] as number));
}

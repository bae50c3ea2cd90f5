/**
 * Make before break, in counts of replicas. A change begins with U₀ old and n₀ new replicas ready. It ends with N new
 * ones. While n new replicas are ready, u old ones stay such that u/U₀ + (n − n₀)/(N − n₀) ≥ 1. Then the capacity u·k +
 * n·k′ is a weighted mean of the capacities of both plans.
 */

export interface ReplicaShift {
  readonly oldAtStart: number;
  readonly newAtStart: number;
  readonly newWanted: number;
}

/** Minimum old replicas that the share requires while `newReady` new ones are ready. */
export function oldReplicasByShare({ oldAtStart, newAtStart, newWanted }: ReplicaShift, newReady: number): number {
  if (newReady >= newWanted) return 0;
  const toGain = newWanted - newAtStart;
  const gained = Math.max(0, newReady - newAtStart);
  return toGain <= 0 ? oldAtStart : Math.ceil((oldAtStart * (toGain - gained)) / toGain);
}

/** Minimum replicas of both kinds if the headroom is too small: as many as the smaller plan has. */
export function replicasByCount({ oldAtStart, newAtStart, newWanted }: ReplicaShift): number {
  return Math.min(oldAtStart + newAtStart, newWanted);
}

export function newReplicasFor(fraction: number, newWanted: number): number {
  return Math.min(newWanted, Math.ceil(fraction * newWanted - 1e-9));
}

/**
 * Steps of a stage that has one replica on each address of its server. They are level-triggered: the next look takes the
 * steps that are still missing.
 */
import type { ReplicaId } from '../../model/ids.js';

/** Ready replica, and the address of the server that it is. */
export interface AddressedReplica {
  readonly replicaId: ReplicaId;
  readonly address: string | undefined;
}

export interface StageAddresses {
  readonly addresses: readonly string[];
  readonly ready: readonly AddressedReplica[];
  readonly mostReplicas: number;
}

/** Replicas to release first, and the number of replicas to scale to. */
export interface FollowSteps {
  readonly release: readonly ReplicaId[];
  readonly replicas: number;
}

/** A replica without an address leaves at once. If no other is ready, its successors start first. */
export function followSteps({ addresses, ready, mostReplicas }: StageAddresses): FollowSteps {
  const known = new Set(addresses);
  const gone = ready.filter(({ address }) => address === undefined || !known.has(address));
  const replicas = Math.max(1, Math.min(known.size, mostReplicas));
  if (gone.length === ready.length) return { release: [], replicas: replicas + gone.length };
  return { release: gone.map(({ replicaId }) => replicaId), replicas };
}

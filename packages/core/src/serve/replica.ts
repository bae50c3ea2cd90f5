/** A replica as the policies see it: free or busy, with its CPU share; what runs inside is the driver's affair. */
import type { ReplicaId } from '../model/ids.js';
import { CpuShareBucket } from './cpu-share-bucket.js';
import { ReplicaHealth } from './replica-health.js';
import type { StageItem } from './request-state.js';

/** What is known of a replica when it enters service; `cpuCores` below 1 is a share of one thread. */
export interface ReplicaDescription {
  readonly replicaId: ReplicaId;
  readonly cpuCores: number;
  /** Belongs to the canary that is open at its stage. */
  readonly inCanary?: boolean;
}

/** One replica in service at the stage with index `stage`. */
export class ServingReplica<Payload, Context> {
  readonly replicaId: ReplicaId;
  readonly stage: number;
  readonly threads: number;
  readonly bucket: CpuShareBucket | undefined;
  /** The running batch; empty while free. */
  readonly batch: StageItem<Payload, Context>[] = [];
  busy = false;
  draining = false;
  /** Set while it belongs to the canary lane of its stage. */
  inCanary = false;
  /** Left out where nothing can be wrong with it. */
  readonly health: ReplicaHealth | undefined;

  constructor(
    stage: number,
    description: ReplicaDescription,
    at: { readonly nowMs: number; readonly watched: boolean },
  ) {
    this.stage = stage;
    this.replicaId = description.replicaId;
    this.inCanary = description.inCanary === true;
    this.threads = Math.max(1, Math.ceil(description.cpuCores));
    this.health = at.watched ? new ReplicaHealth() : undefined;
    this.bucket = description.cpuCores < 1 ? new CpuShareBucket(description.cpuCores, at.nowMs) : undefined;
  }
  /** Takes the finished batch out. (Item by item: setting the length gives the array's memory back, to be taken anew by the next.) */
  empty(): void {
    while (this.batch.length > 0) this.batch.pop();
  }
}

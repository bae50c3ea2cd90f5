/** A replica as the policies see it. The driver runs it. */
import type { ReplicaId, VariantId } from '../model/ids.js';
import { CpuShareBucket } from './cpu-share-bucket.js';
import { ReplicaHealth } from './health/replica-health.js';
import type { StageItem } from './request-state.js';

/** `cpuCores` below 1 is a share of one thread. */
export interface ReplicaDescription {
  readonly replicaId: ReplicaId;
  /** Decides the shares of edges that depend on the variant. */
  readonly variantId?: VariantId;
  readonly cpuCores: number;
  readonly inCanary?: boolean;
}

export class ServingReplica<Payload, Context> {
  readonly replicaId: ReplicaId;
  readonly variantId: VariantId | undefined;
  readonly stage: number;
  /** Number of the replica in its pipeline, in order of entering service. */
  readonly index: number;
  readonly threads: number;
  readonly bucket: CpuShareBucket | undefined;
  /** Running batch; empty while free. */
  readonly batch: StageItem<Payload, Context>[] = [];
  busy = false;
  /** True if the batch is one suspect item. */
  runsSuspect = false;
  draining = false;
  /** Set while a draining replica of an omitted stage still runs the waiting items. */
  lingers = false;
  inCanary = false;
  /** Undefined if not watched. */
  readonly health: ReplicaHealth | undefined;

  constructor(
    place: { readonly stage: number; readonly index: number },
    description: ReplicaDescription,
    at: { readonly nowMs: number; readonly watched: boolean },
  ) {
    this.stage = place.stage;
    this.index = place.index;
    this.replicaId = description.replicaId;
    this.variantId = description.variantId;
    this.inCanary = description.inCanary === true;
    this.threads = Math.max(1, Math.ceil(description.cpuCores));
    this.health = at.watched ? new ReplicaHealth() : undefined;
    this.bucket = description.cpuCores < 1 ? new CpuShareBucket(description.cpuCores, at.nowMs) : undefined;
  }
  /** Removes the finished batch item by item: setting the length would release memory that the next batch needs. */
  empty(): void {
    while (this.batch.length > 0) this.batch.pop();
  }
}

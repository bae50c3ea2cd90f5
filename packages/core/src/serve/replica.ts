/** A replica as the policies see it. The driver runs it. */
import type { ReplicaId, VariantId } from '../model/ids.js';
import { CpuShareBucket } from './cpu-share-bucket.js';
import { ReplicaHealth } from './health/replica-health.js';
import type { StageItem } from './request-state.js';
import { BatchRun } from './trace/request-trace.js';

/** `cpuCores` below 1 is a share of one thread. 0 is a replica that computes on another host: it has no share and holds no core. */
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
  /** Time since which the batch was held back for more items; Infinity if it was not. */
  heldSinceMs = Number.POSITIVE_INFINITY;
  /** Record of the running batch, if an item is traced. */
  run: BatchRun | undefined = undefined;
  /** True if the batch is one suspect item. */
  runsSuspect = false;
  /** True if the batch is one item of `IsolatedItems`. */
  runsIsolated = false;
  /** True if a replica has come for it while its isolated item was late. */
  isReplaced = false;
  draining = false;
  /** Set while requests need the stage of a draining replica, which its plan omits. */
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
    const { cpuCores } = description;
    this.threads = Math.ceil(cpuCores);
    this.health = at.watched ? new ReplicaHealth() : undefined;
    this.bucket = cpuCores > 0 && cpuCores < 1 ? new CpuShareBucket(cpuCores, at.nowMs) : undefined;
  }

  /** True if the replica may get batches. */
  get serves(): boolean {
    return !this.draining || this.lingers;
  }

  /** Records the batch that starts, if an item is traced. */
  record(startedAtMs: number): void {
    let run: BatchRun | undefined;
    for (let i = 0; i < this.batch.length; i++) {
      const item = this.batch[i] as StageItem<Payload, Context>;
      const { trace } = item.request;
      if (trace === undefined) continue;
      const { stage, replicaId, variantId, heldSinceMs } = this;
      run ??= new BatchRun({ stage, replicaId, variantId, heldSinceMs, startedAtMs, size: this.batch.length });
      trace.started(item, run);
    }
    this.run = run;
  }

  /** Removes the finished batch item by item: setting the length would release memory that the next batch needs. */
  empty(): void {
    while (this.batch.length > 0) this.batch.pop();
  }
}

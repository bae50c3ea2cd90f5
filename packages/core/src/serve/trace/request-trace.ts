/**
 * Record of where a request spends its time. The scheduler adds one visit per item that ran or was dropped; the driver asks for it
 * by giving the request a trace (`Arrival.trace`). Requests without a trace cost one comparison per batch.
 */
import type { ReplicaId, VariantId } from '../../model/ids.js';

/** Later visits of a request with a wide fan-out are only counted. */
const MOST_VISITS = 64;

/** Part of the time of a request at a stage (index in the pipeline). Times on the clock of the driver. */
export interface RequestSpan {
  readonly stage: number;
  /** `hop`: on the way to the replica and back. `batch`: a replica was free, but waited for a fuller batch. */
  readonly kind: 'queue' | 'batch' | 'hop' | 'run';
  readonly startMs: number;
  readonly endMs: number;
  /** Batch of the `hop` and `run` spans. */
  readonly run: BatchRun | undefined;
  readonly isFailed: boolean;
}

/** A batch with at least one traced item. */
export class BatchRun implements BatchFacts {
  readonly stage: number;
  readonly replicaId: ReplicaId;
  readonly variantId: VariantId | undefined;
  readonly size: number;
  readonly startedAtMs: number;
  readonly heldSinceMs: number;
  /** NaN while the batch runs. */
  endedAtMs = Number.NaN;
  /** Time inside the replica. Default: the whole time of the batch. */
  serviceMs: number | undefined;
  /** Belongs to the driver. */
  note: unknown;

  constructor(facts: BatchFacts) {
    this.stage = facts.stage;
    this.replicaId = facts.replicaId;
    this.variantId = facts.variantId;
    this.size = facts.size;
    this.heldSinceMs = facts.heldSinceMs;
    this.startedAtMs = facts.startedAtMs;
  }
}

interface BatchFacts {
  readonly stage: number;
  readonly replicaId: ReplicaId;
  readonly variantId: VariantId | undefined;
  readonly size: number;
  readonly startedAtMs: number;
  /** Time since which a free replica waited for a fuller batch; Infinity if none did. */
  readonly heldSinceMs: number;
}

interface Visit {
  readonly stage: number;
  readonly sequence: number;
  readonly enqueuedAtMs: number;
  readonly run: BatchRun | undefined;
  /** Undefined if the item ran. */
  readonly droppedAtMs: number | undefined;
  isFailed: boolean;
}

/** Shared by requests without visits. */
const NONE: never[] = [];

interface TracedItem {
  readonly stage: number;
  readonly sequence: number;
  readonly enqueuedAtMs: number;
}

export class RequestTrace {
  #visits: Visit[] = NONE;
  #omitted = 0;

  /** Number of visits that were not recorded. */
  get omitted(): number {
    return this.#omitted;
  }

  /** Batches in which the request took part. */
  get runs(): readonly BatchRun[] {
    return this.#visits.flatMap(({ run }) => run ?? []);
  }

  started(item: TracedItem, run: BatchRun): void {
    this.#add(item, run, undefined);
  }

  dropped(item: TracedItem, nowMs: number): void {
    this.#add(item, undefined, nowMs);
  }

  failed({ sequence }: Pick<TracedItem, 'sequence'>): void {
    const visit = this.#visits.findLast((each) => each.sequence === sequence);
    if (visit !== undefined) visit.isFailed = true;
  }

  /** Spans in the order of the batches, cut at the end of the request. Empty spans are left out, except `run`. */
  spans(endedAtMs: number): readonly RequestSpan[] {
    return this.#visits.flatMap((visit) => spansOf(visit, endedAtMs));
  }

  #add(
    { stage, sequence, enqueuedAtMs }: TracedItem,
    run: BatchRun | undefined,
    droppedAtMs: number | undefined,
  ): void {
    const visit = { stage, sequence, enqueuedAtMs, run, droppedAtMs, isFailed: run === undefined };
    // An array literal takes one slot; an empty array that grows takes 17.
    if (this.#visits === NONE) this.#visits = [visit];
    else if (this.#visits.length === MOST_VISITS) this.#omitted += 1;
    else this.#visits.push(visit);
  }
}

function spansOf({ stage, enqueuedAtMs, run, droppedAtMs, isFailed }: Visit, endedAtMs: number): RequestSpan[] {
  const leftAtMs = droppedAtMs ?? run?.startedAtMs ?? enqueuedAtMs;
  const heldAtMs = Math.min(leftAtMs, Math.max(enqueuedAtMs, run?.heldSinceMs ?? Number.POSITIVE_INFINITY));
  const spans: RequestSpan[] = [];
  const add = (kind: RequestSpan['kind'], startMs: number, endMs: number) => {
    const end = Math.min(endMs, endedAtMs);
    if (end > startMs || kind === 'run')
      spans.push({
        stage,
        kind,
        startMs: Math.min(startMs, end),
        endMs: end,
        run,
        isFailed: isFailed && kind === last,
      });
  };
  const last = run === undefined ? 'queue' : 'run';
  add('queue', enqueuedAtMs, heldAtMs);
  add('batch', heldAtMs, leftAtMs);
  if (run === undefined) return spans;
  const ended = Number.isNaN(run.endedAtMs) ? endedAtMs : run.endedAtMs;
  const runAtMs = Math.max(leftAtMs, ended - (run.serviceMs ?? Number.POSITIVE_INFINITY));
  add('hop', leftAtMs, runAtMs);
  add('run', runAtMs, ended);
  return spans;
}

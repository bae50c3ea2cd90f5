/**
 * Canary side of a stage: a lane with its own queue, batch policy and replicas. It is offered a fraction of the
 * requests, by a low-discrepancy sequence: deterministic and without a period. An item that would wait longer in the
 * canary goes to the main lane.
 *
 * The main lane counts outcomes by request, the canary by batch, because items of a batch end together. An item that
 * fails in the canary may run again in the main lane. The failure counts against the canary unless the retry fails,
 * too.
 */
import type { CanaryCounts } from '../model/canary-counts.js';
import type { BatchPolicy } from './batch-policy.js';
import type { ServingReplica } from './replica.js';
import type { CanaryMark, CountedOutcome, RequestState, StageItem } from './request-state.js';
import { type CanaryProfile, SlownessTest } from './rollout/slowness.js';
import type { StageScheduler } from './stage-scheduler.js';

/** Without a profile, service times are not tested. */
export interface CanaryPolicy extends BatchPolicy {
  readonly profile?: CanaryProfile;
}

/** Fractional part of the golden ratio: its multiples spread evenly over the unit interval. */
const GOLDEN_FRACTION = (Math.sqrt(5) - 1) / 2;
/** Maximum number of requests that a canary catches up on after it was busy. */
const MOST_CREDIT = 2;

export class CanaryLane<Payload, Context> {
  readonly stage: number;
  readonly scheduler: StageScheduler<Payload, Context>;
  readonly #main: StageScheduler<Payload, Context>;
  readonly before = { ended: 0, missed: 0, failed: 0 };
  readonly after = { ended: 0, missed: 0, failed: 0 };
  readonly #slowness: SlownessTest | undefined;
  readonly #running = new Map<ServingReplica<Payload, Context>, { readonly items: number; readonly atMs: number }>();
  readonly #batches = new WeakMap<StageItem<Payload, Context>, CanaryMark['batch']>();
  readonly #load = new MeanRate();
  #fraction = 0;
  #credit = 0;
  #reached = 0;

  constructor(
    stage: number,
    lanes: { readonly main: StageScheduler<Payload, Context>; readonly canary: StageScheduler<Payload, Context> },
    profile?: CanaryProfile,
  ) {
    this.stage = stage;
    this.scheduler = lanes.canary;
    this.#main = lanes.main;
    this.#slowness = profile && new SlownessTest(profile);
  }

  set fraction(fraction: number) {
    this.#fraction = fraction;
  }

  get counts(): CanaryCounts {
    const slowness = this.#slowness?.result(this.#load.atLeastPerSecond);
    return { before: { ...this.before }, after: { ...this.after }, ...(slowness && { slowness }) };
  }

  takes(request: RequestState<Payload, Context>, nowMs: number): boolean {
    if (this.#fraction === 0) return false;
    this.#load.note(nowMs);
    const mark = this.#markOf(request) ?? this.#marked(request);
    if (!mark.isOffered || this.scheduler.replicas.length === 0) return false;
    if (this.scheduler.waitMs() > this.#main.waitMs()) return false;
    if (!mark.isTaken) this.#credit -= 1;
    mark.isTaken = true;
    return true;
  }

  batchStarted(replica: ServingReplica<Payload, Context>, atMs: number): void {
    const batch = { counted: undefined };
    this.#running.set(replica, { items: replica.batch.length, atMs });
    for (const item of replica.batch) {
      this.#batches.set(item, batch);
      const mark = this.#markOf(item.request);
      if (mark !== undefined && !mark.hasFailed) mark.batch = batch;
    }
  }

  batchEnded(replica: ServingReplica<Payload, Context>, nowMs: number): void {
    const started = this.#running.get(replica);
    if (started === undefined) return;
    this.#running.delete(replica);
    this.#slowness?.note(started.items, nowMs - started.atMs);
  }

  batchFailed(replica: ServingReplica<Payload, Context>): void {
    this.#running.delete(replica);
  }

  /** Notes that an item failed in the canary. `isRetried`: it runs again in the main lane. */
  itemFailed(item: StageItem<Payload, Context>, isRetried: boolean): void {
    const mark = this.#markOf(item.request);
    if (mark === undefined) return;
    if (!mark.hasFailed) mark.batch = this.#batches.get(item);
    mark.hasFailed = true;
    mark.isRetried ||= isRetried;
  }

  ended(request: RequestState<Payload, Context>, outcome: CountedOutcome): void {
    const mark = this.#markOf(request);
    if (mark === undefined) return;
    if (!mark.isTaken) {
      count(this.before, outcome);
      return;
    }
    const { batch, hasFailed, isRetried } = mark;
    const isAtFault = hasFailed && !(isRetried && outcome === 'failed');
    // Per batch, the outcome of one item counts: the first to fail, else the first to end.
    if (batch?.counted !== undefined) {
      if (!isAtFault || batch.counted === 'failed') return;
      count(this.after, batch.counted, -1);
    }
    if (hasFailed && !isAtFault) return;
    const counted = isAtFault ? 'failed' : outcome;
    if (batch !== undefined) batch.counted = counted;
    count(this.after, counted);
  }

  #markOf({ canary }: RequestState<Payload, Context>): CanaryMark | undefined {
    return canary?.lane === this ? canary : undefined;
  }

  #marked(request: RequestState<Payload, Context>): CanaryMark {
    this.#reached += 1;
    this.#credit = Math.min(MOST_CREDIT, this.#credit + this.#fraction);
    const isOffered = this.#credit >= (this.#reached * GOLDEN_FRACTION) % 1;
    const mark = { lane: this, isOffered, isTaken: false, hasFailed: false, isRetried: false, batch: undefined };
    request.canary = mark;
    return mark;
  }
}

/** Mean rate of events. Several may share an instant (a batch, or a fan-out). */
class MeanRate {
  #events = 0;
  #instants = 0;
  #firstMs = 0;
  #lastMs = 0;

  note(nowMs: number): void {
    if (this.#events === 0) this.#firstMs = nowMs;
    if (this.#events === 0 || nowMs > this.#lastMs) this.#instants += 1;
    this.#events += 1;
    this.#lastMs = nowMs;
  }

  /** Events per second minus two standard errors, so that chance does not overstate the load. */
  get atLeastPerSecond(): number {
    const gaps = this.#instants - 1;
    if (gaps <= 0) return 0;
    const instantsPerSecond = Math.max(0, (1000 * (gaps - 2 * Math.sqrt(gaps))) / (this.#lastMs - this.#firstMs));
    return (this.#events / this.#instants) * instantsPerSecond;
  }
}

function count(side: { ended: number; missed: number; failed: number }, outcome: CountedOutcome, by = 1): void {
  side.ended += by;
  if (outcome !== 'in-time') side.missed += by;
  if (outcome === 'failed') side.failed += by;
}

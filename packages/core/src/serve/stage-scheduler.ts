/**
 * One stage with its queue and replicas. Only this class chooses the next batch (greedy batching, earliest deadline
 * first within priorities, CPU shares, early drops). It has no clock: calls pass `nowMs`; `StageEffects.wakeAt`
 * requests later calls.
 */

import type { DropReason } from '../model/request-outcome.js';
import type { HealthIssue } from '../model/running-plan.js';
import { type BatchPolicy, companionsUntilMs, lateReason, serviceMs } from './batch-policy.js';
import { BatchWatch, type WatchEffects } from './batch-watch.js';
import type { CoreGate } from './core-gate.js';
import { DeadlineQueue } from './deadline-queue.js';
import { expectedWaitMs } from './expected-wait.js';
import { IsolatedItems } from './isolated-items.js';
import { PriorityQueue } from './priority-queue.js';
import type { ServingReplica } from './replica.js';
import type { Arrival, RequestState, StageItem } from './request-state.js';
import type { Rerun } from './rerun.js';

export interface StageLimits {
  readonly maxQueueLength: number;
  /** False only for verification, where a drop would hide a miss. */
  readonly dropLate: boolean;
  /** See `AdmissionSpec`. Default: no bound. */
  readonly maxWaitFraction?: number | undefined;
  /** Guaranteed shares (see `PrioritySpec`). Default: one priority. */
  readonly priorityShares?: readonly number[];
}

export interface StageEffects<Payload, Context> extends WatchEffects<Payload, Context> {
  startBatch(replica: ServingReplica<Payload, Context>, nowMs: number): void;
  dropItem(item: StageItem<Payload, Context>, reason: DropReason, nowMs: number): void;
  /** True if an item may run in a batch with others. Otherwise it was refused, or moved to those that run alone. */
  passes(item: StageItem<Payload, Context>): boolean;
  /** True if the request of an item is like culprits. */
  isAlike(item: StageItem<Payload, Context>): boolean;
  /** True if a suspect may run alone. If its input is guilty by now, the item was refused. */
  mayTryAlone(item: StageItem<Payload, Context>): boolean;
}

/** Expected wait ÷ time left above which even an item of a burst is refused: means say little about few batches. */
const MOST_WAIT = 2;

const ONE_PRIORITY: readonly number[] = [1];

/**
 * Items with a later deadline are patient: a request does not wait behind them, and takes their place in a full queue.
 * They have more time left than the request had on arrival. So requests with equal time-outs are never patient to each
 * other.
 */
function patientAfterMs({ arrivedAtMs, deadlineAtMs }: Pick<Arrival<unknown>, 'arrivedAtMs' | 'deadlineAtMs'>): number {
  return 2 * deadlineAtMs - arrivedAtMs;
}

export class StageScheduler<Payload, Context> {
  /** Position in the pipeline, which breaks ties of deadlines. */
  readonly order: number;
  readonly queue: PriorityQueue<Payload, Context>;
  /**
   * Items that run alone, because their input may have caused a hang, a failure or the loss of a replica. Together they
   * use at most half of the replicas, but at least one.
   */
  readonly #suspects = new DeadlineQueue<Payload, Context>();
  /** They take no places of the queue. */
  readonly #isolated = new IsolatedItems<Payload, Context>();
  readonly replicas: ServingReplica<Payload, Context>[] = [];
  readonly #gate: CoreGate;
  #limits: StageLimits;
  readonly #effects: StageEffects<Payload, Context>;
  #policy: BatchPolicy = { maxBatchSize: 1, maxBatchWaitMs: 0, remainingMs: 0 };
  #aloneMs = 0;
  /** Time of the oldest arrival, or earlier. Maintained only while replicas wait for fuller batches. */
  #waitingSinceMs = 0;
  /** Time since which the queue has not been empty; of no meaning while it is. */
  #queuedSinceMs = 0;
  /** Time since which a free replica waits for a fuller batch; Infinity if none does. */
  #heldSinceMs = Number.POSITIVE_INFINITY;
  readonly #watch: BatchWatch<Payload, Context>;
  retries = 0;
  /** Items with a smaller sequence were queued before the last hang, so they are checked again. */
  screenBefore = 0;
  #runningSuspects = 0;
  /** True if the last batch that started was a suspect. */
  #ranSuspect = false;
  #busyReplicas = 0;
  /** Set by a change after which a batch may start. The pipeline scheduler clears it. */
  isDirty = false;
  /** Set while only the core gate prevents a start. */
  waitsAtGate = false;

  constructor(order: number, gate: CoreGate, limits: StageLimits, effects: StageEffects<Payload, Context>) {
    this.order = order;
    this.queue = new PriorityQueue(limits.priorityShares ?? ONE_PRIORITY);
    this.#gate = gate;
    this.#limits = limits;
    this.#effects = effects;
    this.#watch = new BatchWatch(this.replicas, effects);
  }

  setPolicy(policy: BatchPolicy): void {
    this.#policy = policy;
    this.#aloneMs = serviceMs(policy, 1);
    if (policy.maxBatchWaitMs > 0 && this.queue.length > 0) this.#waitingSinceMs = this.queue.waitingSinceMs();
  }

  /** Queued items stay. */
  setLimits(limits: StageLimits): void {
    this.#limits = limits;
    this.queue.setShares(limits.priorityShares ?? ONE_PRIORITY);
  }

  get issues(): BatchWatch<Payload, Context>['issues'] {
    return this.#watch.issues;
  }

  get length(): number {
    return this.#boundLength + this.#isolated.length;
  }

  /** Items that take places of the queue. */
  get #boundLength(): number {
    return this.queue.length + this.#suspects.length;
  }

  /** Earliest deadline in ms of all queued items; Infinity without items. */
  get earliestDeadlineAtMs(): number {
    const nextAtMs = this.queue.earliest()?.deadlineAtMs ?? Number.POSITIVE_INFINITY;
    if (this.#suspects.length + this.#isolated.length === 0) return nextAtMs;
    const suspectAtMs = this.#suspects.peek()?.deadlineAtMs ?? nextAtMs;
    return Math.min(nextAtMs, suspectAtMs, this.#isolated.peek()?.deadlineAtMs ?? nextAtMs);
  }

  /** By the earliest deadline; at equal deadlines, the first stage of the pipeline. */
  isMoreUrgentThan(other: StageScheduler<Payload, Context>): boolean {
    const atMs = this.earliestDeadlineAtMs;
    const otherAtMs = other.earliestDeadlineAtMs;
    return atMs < otherAtMs || (atMs === otherAtMs && this.order < other.order);
  }

  get maxQueueLength(): number {
    return this.#limits.maxQueueLength;
  }

  /**
   * Reason to refuse requests that arrive together; undefined if all may enter. Less urgent and patient items do not
   * count.
   */
  refusal(items: number, arrival: Arrival<unknown>): DropReason | undefined {
    const { arrivedAtMs, deadlineAtMs, level = 0, isBatched } = arrival;
    const ahead = this.queue.countAhead(level, patientAfterMs(arrival), isBatched);
    if (ahead + this.#suspects.length + items > this.#limits.maxQueueLength) return 'queue-full';
    const leftMs = deadlineAtMs - this.leastMs - arrivedAtMs;
    return this.#wouldWaitTooLong(ahead + items - 1, leftMs, arrivedAtMs) ? 'wait-too-long' : undefined;
  }

  /** Minimum time in ms that a request needs from here; 0 if unknown. */
  get leastMs(): number {
    return this.#aloneMs + this.#policy.remainingMs;
  }

  /**
   * Enqueues an item. If it would wait too long, or the queue is full, drops a less urgent or patient item, or items of a
   * client with far more of them. Without those, drops the new item. False if nothing can follow at once: all replicas
   * are busy, and the alarm for the earliest deadline stays as it is.
   */
  enqueue(item: StageItem<Payload, Context>, nowMs: number): boolean {
    const { request } = item;
    const { maxWaitFraction, maxQueueLength } = this.#limits;
    if (maxWaitFraction !== undefined) {
      const ahead = this.queue.countAhead(request.level, patientAfterMs(request), request.isBatched);
      const leftMs = this.#latestStartAtMs(item) - nowMs;
      const isLate = this.#wouldWaitTooLong(ahead, leftMs, nowMs);
      if (isLate && !this.#displace(item, (fewer) => !this.#wouldWaitTooLong(ahead - fewer, leftMs, nowMs), nowMs)) {
        this.#effects.dropItem(item, 'wait-too-long', nowMs);
        return true;
      }
    }
    if (this.#boundLength >= maxQueueLength) {
      const displaced = this.#popDisplaced(request);
      if (displaced !== undefined) this.#effects.dropItem(displaced, 'queue-full', nowMs);
      else if (!this.#displace(item, () => true, nowMs)) {
        this.#effects.dropItem(item, 'queue-full', nowMs);
        return true;
      }
    }
    this.#push(item, nowMs);
    return this.#busyReplicas < this.replicas.length || this.queue.earliest() === item;
  }

  /** Enqueues a retried item, beyond the bound, because it was admitted before. */
  takeBack(item: StageItem<Payload, Context>, nowMs: number): void {
    this.retries += 1;
    this.#push(item, nowMs);
  }

  enqueueSuspect(item: StageItem<Payload, Context>, nowMs: number): void {
    if (this.#suspects.length < this.#limits.maxQueueLength) this.#suspects.push(item);
    else this.#effects.dropItem(item, 'queue-full', nowMs);
  }

  enqueueIsolated(item: StageItem<Payload, Context>, nowMs: number): void {
    const displaced = this.#isolated.push(item, this.#limits.maxQueueLength);
    if (displaced !== undefined) this.#effects.dropItem(displaced, 'queue-full', nowMs);
  }

  takeBackIsolated(item: StageItem<Payload, Context>): void {
    this.retries += 1;
    this.#isolated.takeBack(item);
  }

  addReplica(replica: ServingReplica<Payload, Context>): void {
    this.replicas.push(replica);
    // A late replica gets its successor before it is given up.
    const late = this.replicas.find(
      ({ runsIsolated, health, isReplaced }) => runsIsolated && health?.isLate && !isReplaced,
    );
    if (late === undefined) this.#isolated.gotReplica();
    else late.isReplaced = true;
  }

  /** Call before `finish` if the replica is lost or hangs. */
  noteLost(replica: ServingReplica<Payload, Context>, nowMs: number): void {
    if (replica.runsIsolated && !replica.isReplaced) this.#isolated.lostReplica(nowMs);
  }

  /** Enqueues an item to run alone, after `fits`, which bounds the number of such items. */
  takeBackAlone(item: StageItem<Payload, Context>): void {
    this.retries += 1;
    this.#suspects.push(item);
  }

  /** Removes items of a level. */
  discard(level: number, isGone: (item: StageItem<Payload, Context>) => boolean): void {
    this.queue.discard(level, isGone);
    if (this.#suspects.length > 0) this.#suspects.discard(isGone);
    if (this.#isolated.length > 0) this.#isolated.discard(isGone);
  }

  /** Wait in this lane, for comparing lanes: 0 if a replica is free, otherwise the backlog in ms. */
  waitMs(): number {
    if (this.queue.length === 0 && this.replicas.some(({ busy, serves }) => !busy && serves)) return 0;
    return this.#backlogMs();
  }

  absorb(lane: StageScheduler<Payload, Context>, nowMs: number): void {
    for (const replica of lane.replicas.splice(0)) {
      replica.inCanary = false;
      this.replicas.push(replica);
    }
    for (let item = lane.queue.pop(); item !== undefined; item = lane.queue.pop()) {
      item.inCanary = false;
      this.#push(item, nowMs);
    }
    this.#busyReplicas += lane.#busyReplicas;
    this.retries += lane.retries;
    for (const kind of ['opened', 'failing', 'slow', 'hung'] as const) this.issues[kind] += lane.issues[kind];
  }

  predictedWaitMs(): number {
    return this.queue.length === 0 ? 0 : this.#backlogMs();
  }

  /** Time in ms in which full batches run the queue, and half of a running one; 0 if unknown. */
  #backlogMs(): number {
    const { maxBatchSize } = this.#policy;
    const batches = this.queue.length / maxBatchSize + 0.5;
    return this.replicas.length === 0 ? 0 : (serviceMs(this.#policy, maxBatchSize) * batches) / this.replicas.length;
  }

  /** True if an item that runs again would be in time. To run alone, it waits behind those that already wait for this. */
  fits(item: StageItem<Payload, Context>, rerun: Rerun, nowMs: number): boolean {
    const ahead = rerun === 'alone' ? this.#suspects.length : 0;
    if (rerun === 'never' || ahead >= this.#limits.maxQueueLength) return false;
    const startsAtMs = nowMs + (this.#aloneMs * ahead) / this.#mostSuspects();
    return !this.#limits.dropLate || lateReason(item.deadlineAtMs, startsAtMs, this.leastMs) === undefined;
  }

  /** Starts one batch if possible. True if another may start; otherwise requests a wake-up. */
  dispatchOne(nowMs: number): boolean {
    this.waitsAtGate = false;
    if (this.#startNext(nowMs) && this.#busyReplicas < this.replicas.length && this.length > 0) return true;
    this.#watchDeadline();
    return false;
  }

  /** Drops queued items that can no longer be in time. */
  expire(nowMs: number): void {
    if (!this.#limits.dropLate) return;
    for (let head = this.queue.earliest(); this.#hasExpired(head, nowMs); head = this.queue.earliest()) {
      this.queue.popEarliest();
      this.#effects.dropItem(head, this.#expiryReason(head, nowMs), nowMs);
    }
    for (const alone of [this.#suspects, this.#isolated]) {
      for (let head = alone.peek(); this.#hasExpired(head, nowMs); head = alone.peek()) {
        alone.pop();
        this.#effects.dropItem(head, this.#expiryReason(head, nowMs), nowMs);
      }
    }
  }

  /** Judges a replica by the batch that ended. Returns the issue if the replica must be replaced. */
  issueOf(replica: ServingReplica<Payload, Context>, nowMs: number): HealthIssue | undefined {
    return this.#watch.issueOf(replica, this.#policy, nowMs);
  }

  /** Finds a replica whose batch hangs. Reports late batches and requests a wake-up. */
  findHung(nowMs: number): ServingReplica<Payload, Context> | undefined {
    return this.#watch.findHung(this.#policy, nowMs);
  }

  finish(replica: ServingReplica<Payload, Context>, nowMs: number, cpuMs: number | undefined): void {
    replica.busy = false;
    this.#busyReplicas -= 1;
    if (replica.runsSuspect) this.#runningSuspects -= 1;
    replica.runsSuspect = false;
    if (replica.runsIsolated) this.#isolated.ended();
    replica.runsIsolated = false;
    replica.isReplaced = false;
    replica.bucket?.batchEnded(nowMs, cpuMs);
    this.#gate.leave(replica.threads);
  }

  /** Drops as few items of a heavier client as suffice, at most a batch. False if there is none, or they do not suffice. */
  #displace(item: StageItem<Payload, Context>, suffices: (fewer: number) => boolean, nowMs: number): boolean {
    const { client, level } = item.request;
    if (client === undefined) return false;
    const heavier = this.queue.heavierThan(client, level);
    if (heavier === undefined) return false;
    const latestMs = patientAfterMs(item.request);
    const most = Math.min(heavier.countUntil(latestMs), this.#policy.maxBatchSize);
    let count = 1;
    while (count <= most && !suffices(count)) count += 1;
    if (count > most) return false;
    const displaced: StageItem<Payload, Context>[] = [];
    for (let last = heavier.lastUntil(latestMs); last !== undefined; last = heavier.lastUntil(latestMs)) {
      this.queue.remove(last);
      if (displaced.push(last) === count) break;
    }
    for (const each of displaced) this.#effects.dropItem(each, 'queue-full', nowMs);
    return true;
  }

  /** A single request takes a place from client batches that have more than half of the queue. One batch has no more. */
  #popDisplaced(request: RequestState<Payload, Context>): StageItem<Payload, Context> | undefined {
    const { dropLate, maxQueueLength } = this.#limits;
    return this.queue.popDisplaced(request.level, {
      afterMs: dropLate ? patientAfterMs(request) : Number.POSITIVE_INFINITY,
      mostBatched: request.isBatched ? Number.POSITIVE_INFINITY : maxQueueLength / 2,
    });
  }

  #push(item: StageItem<Payload, Context>, nowMs: number): void {
    if (this.queue.length === 0) {
      this.#waitingSinceMs = nowMs;
      this.#queuedSinceMs = nowMs;
    }
    this.queue.push(item);
  }

  /**
   * `leftMs`: time until an item must start. Only a part of it is allowed if the queue has not been empty for as long.
   * Such a queue is no burst, and will not be shorter for the next item.
   */
  #wouldWaitTooLong(ahead: number, leftMs: number, nowMs: number): boolean {
    const { maxWaitFraction, dropLate } = this.#limits;
    if (maxWaitFraction === undefined || ahead === 0 || !dropLate) return false;
    const waitMs = expectedWaitMs(this.#policy, this, ahead);
    if (waitMs > MOST_WAIT * leftMs) return true;
    const isStanding = nowMs - this.#queuedSinceMs >= leftMs;
    return isStanding && waitMs > maxWaitFraction * (this.#policy.waitShare ?? 1) * leftMs;
  }

  #hasExpired(head: StageItem<Payload, Context> | undefined, nowMs: number): head is StageItem<Payload, Context> {
    return head !== undefined && nowMs >= this.#latestStartAtMs(head);
  }

  #expiryReason(head: StageItem<Payload, Context>, nowMs: number): DropReason {
    if (this.replicas.length === 0) return 'no-ready-replica';
    return nowMs >= head.deadlineAtMs ? 'deadline-passed' : 'deadline-unreachable';
  }

  /** Starts one batch; false if none can start now. */
  #startNext(nowMs: number): boolean {
    for (;;) {
      if (this.#startSuspect(nowMs)) return true;
      if (this.#busyReplicas === this.replicas.length) return false;
      if (this.queue.length === 0) return this.#startIsolated(nowMs);
      const replica = this.#pickReplica(nowMs);
      if (replica === undefined) return false;
      if (this.#waitsForCompanions(nowMs)) return this.#startIsolated(nowMs);
      if (!this.#passesGate(replica)) return false;
      this.#fillBatch(replica, nowMs);
      if (replica.batch.length === 0) continue;
      this.#start(replica, nowMs);
      return true;
    }
  }

  #passesGate({ threads }: ServingReplica<Payload, Context>): boolean {
    const passes = this.#gate.admits(threads);
    if (!passes) this.waitsAtGate = true;
    return passes;
  }

  #start(replica: ServingReplica<Payload, Context>, nowMs: number): void {
    replica.busy = true;
    replica.heldSinceMs = this.#heldSinceMs;
    this.#heldSinceMs = Number.POSITIVE_INFINITY;
    this.#ranSuspect = replica.runsSuspect;
    this.#busyReplicas += 1;
    this.#watch.batchStarted(replica, this.#policy, nowMs);
    replica.bucket?.batchStarted(nowMs);
    this.#gate.enter(replica.threads);
    const { maxBatchWaitMs, maxBatchSize } = this.#policy;
    if (maxBatchWaitMs > 0 && this.queue.length > 0 && this.queue.length < maxBatchSize)
      this.#waitingSinceMs = this.queue.waitingSinceMs();
    this.#effects.startBatch(replica, nowMs);
  }

  #fillBatch(replica: ServingReplica<Payload, Context>, nowMs: number): void {
    if (this.#limits.dropLate) this.#dropLateHeads(nowMs);
    this.queue.popInto(replica.batch, this.#batchSizeFor(replica));
    if (this.screenBefore > 0 && replica.batch.some(({ sequence }) => sequence < this.screenBefore))
      this.#screen(replica.batch);
  }

  #screen(batch: StageItem<Payload, Context>[]): void {
    const passing = batch.filter((item) => item.sequence >= this.screenBefore || this.#effects.passes(item));
    while (batch.length > 0) batch.pop();
    // Refusing one item may have ended the request of another item.
    for (const item of passing) if (!item.request.ended) batch.push(item);
  }

  #mostSuspects(): number {
    return Math.max(1, Math.floor(this.replicas.length / 2));
  }

  /** If there is one replica, it alternates between suspects and other items. */
  #isTurnOfSuspect(): boolean {
    return this.replicas.length > 1 || this.queue.length === 0 || !this.#ranSuspect;
  }

  #startSuspect(nowMs: number): boolean {
    if (this.#suspects.length === 0 || !this.#isTurnOfSuspect()) return false;
    for (
      let next = this.#suspects.peek();
      next !== undefined && this.#effects.isAlike(next);
      next = this.#suspects.peek()
    )
      this.enqueueIsolated(this.#suspects.pop() as StageItem<Payload, Context>, nowMs);
    if (this.#runningSuspects >= this.#mostSuspects()) return false;
    const replica = this.#fillAlone(this.#suspects, nowMs);
    if (replica === undefined) return false;
    replica.runsSuspect = true;
    this.#runningSuspects += 1;
    this.#start(replica, nowMs);
    return true;
  }

  #startIsolated(nowMs: number): boolean {
    if (this.#isolated.length === 0) return false;
    const startMs = this.#isolated.nextStartMs(this.replicas.length, this.#runningSuspects, nowMs);
    if (startMs > nowMs) {
      if (startMs < Number.POSITIVE_INFINITY) this.#effects.wakeAt(startMs);
      return false;
    }
    const replica = this.#fillAlone(this.#isolated, nowMs);
    if (replica === undefined) return false;
    replica.runsIsolated = true;
    this.#isolated.started();
    this.#start(replica, nowMs);
    return true;
  }

  /** Gives a free replica the next item that is not late or refused. Undefined if there is none, or no such replica. */
  #fillAlone(
    items: Pick<DeadlineQueue<Payload, Context>, 'length' | 'pop'>,
    nowMs: number,
  ): ServingReplica<Payload, Context> | undefined {
    while (items.length > 0 && this.#busyReplicas < this.replicas.length) {
      const replica = this.#pickReplica(nowMs);
      if (replica === undefined || !this.#passesGate(replica)) return undefined;
      const item = items.pop() as StageItem<Payload, Context>;
      const late = this.#limits.dropLate ? lateReason(item.deadlineAtMs, nowMs, this.leastMs) : undefined;
      if (late !== undefined) this.#effects.dropItem(item, late, nowMs);
      else if (this.#effects.mayTryAlone(item)) {
        replica.batch.push(item);
        return replica;
      }
    }
    return undefined;
  }

  /** Items of a batch end together, so the batch must meet the earliest deadline. */
  #dropLateHeads(nowMs: number): void {
    const policy = this.#policy;
    for (let head = this.queue.earliest(); head !== undefined; head = this.queue.earliest()) {
      const leastMs = serviceMs(policy, this.#nextBatchSize()) + policy.remainingMs;
      const reason = lateReason(head.deadlineAtMs, nowMs, leastMs);
      if (reason === undefined) return;
      this.queue.popEarliest();
      this.#effects.dropItem(head, reason, nowMs);
    }
  }

  /** A probe is one item. */
  #batchSizeFor({ health }: ServingReplica<Payload, Context>): number {
    return health === undefined || !health.isProbed ? this.#nextBatchSize() : Math.min(1, this.queue.length);
  }

  #nextBatchSize(): number {
    return Math.min(this.#policy.maxBatchSize, this.queue.length);
  }

  #waitsForCompanions(nowMs: number): boolean {
    if (this.#policy.maxBatchWaitMs === 0) return false;
    const untilMs = companionsUntilMs(this.#policy, {
      length: this.queue.length,
      waitingSinceMs: this.#waitingSinceMs,
      sentTogether: this.queue.earliest()?.request.sentTogether ?? Number.POSITIVE_INFINITY,
    });
    if (untilMs <= nowMs) return false;
    this.#heldSinceMs = Math.min(this.#heldSinceMs, nowMs);
    this.#effects.wakeAt(untilMs);
    return true;
  }

  /** Among free replicas, the one longest in service is first. */
  #pickReplica(nowMs: number): ServingReplica<Payload, Context> | undefined {
    let soonestMs = Number.POSITIVE_INFINITY;
    for (let i = 0; i < this.replicas.length; i++) {
      const replica = this.replicas[i] as ServingReplica<Payload, Context>;
      if (replica.busy || !replica.serves) continue;
      if (replica.health !== undefined && replica.health.openUntilMs > nowMs) {
        soonestMs = Math.min(soonestMs, replica.health.openUntilMs);
        continue;
      }
      const readyAtMs = replica.bucket?.readyAtMs(nowMs) ?? nowMs;
      if (readyAtMs <= nowMs) return replica;
      soonestMs = Math.min(soonestMs, readyAtMs);
    }
    if (soonestMs < Number.POSITIVE_INFINITY) this.#effects.wakeAt(soonestMs);
    return undefined;
  }

  #watchDeadline(): void {
    if (!this.#limits.dropLate) return;
    const { earliestDeadlineAtMs } = this;
    if (earliestDeadlineAtMs < Number.POSITIVE_INFINITY)
      this.#effects.wakeAt(earliestDeadlineAtMs - this.#aloneMs - this.#policy.remainingMs);
  }

  /** Last time at which an item could start alone and be in time. */
  #latestStartAtMs({ request }: StageItem<Payload, Context>): number {
    return request.deadlineAtMs - this.#aloneMs - this.#policy.remainingMs;
  }
}

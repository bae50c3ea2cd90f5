/**
 * Request policies of a whole pipeline, without I/O: admission, queues, batches, CPU shares, core gate, early drops and
 * the walk through the graph.
 *
 * Protocol: `nowMs` must never go back. Effects are called synchronously and must not call back. Every arrival ends in
 * exactly one of `complete`, `drop`, `fail`.
 */
import { invariant } from '../kernel/invariant.js';
import type { CanaryCounts } from '../model/canary-counts.js';
import type { DropReason } from '../model/request-outcome.js';
import type { HealthIssue } from '../model/running-plan.js';
import type { BatchPolicy } from './batch-policy.js';
import { CanaryLane, type CanaryPolicy } from './canary-lane.js';
import { CoreGate } from './core-gate.js';
import type { EdgeCounts } from './edge-counts.js';
import { GraphWalk, type PayloadAlgebra } from './graph-walk.js';
import { Quarantine, type QuarantinedInput, type Verdict } from './health/quarantine.js';
import type { IssueCounts } from './health/replica-health.js';
import { type ReplicaDescription, ServingReplica } from './replica.js';
import { type Arrival, RequestState, RetriedItem, StageItem } from './request-state.js';
import { type BatchFault, rerunAfter } from './rerun.js';
import type { SchedulerLimits, ServingEffects } from './serving-effects.js';
import type { ServingEdge, ServingGraph } from './serving-graph.js';
import { type StageEffects, type StageLimits, StageScheduler } from './stage-scheduler.js';
import type { Scope } from './waiting-parts.js';

type Loss<Failure> =
  | { readonly kind: 'dropped'; readonly reason: DropReason; readonly stage: number }
  | { readonly kind: 'failed'; readonly failure: Failure };

/** Single-threaded, deterministic. */
export class PipelineScheduler<Payload, Context, Failure = never> {
  readonly #graph: ServingGraph;
  readonly #effects: ServingEffects<Payload, Context, Failure>;
  readonly #stages: readonly StageScheduler<Payload, Context>[];
  /** Stages, then the canary lane if one is open. */
  #lanes: readonly StageScheduler<Payload, Context>[];
  #canary: CanaryLane<Payload, Context> | undefined;
  readonly #stageEffects: StageEffects<Payload, Context>;
  readonly #walk: GraphWalk<Payload, Context>;
  readonly #gate: CoreGate;
  readonly #watched: boolean;
  #limits: SchedulerLimits;
  #answerMarginMs: number;
  readonly #dirty: StageScheduler<Payload, Context>[] = [];
  /** Replicas of omitted stages that leave once the queue of their stage is empty. */
  #lingering: ServingReplica<Payload, Context>[] = [];
  readonly #quarantine = new Quarantine();
  /** Last loss per request, which a join may tolerate. */
  readonly #losses = new WeakMap<RequestState<Payload, Context>, Loss<Failure>>();
  /** Failures of batches whose items run alone. */
  readonly #failed = new WeakMap<StageItem<Payload, Context>, Failure>();
  readonly #arrivals: number[];
  #requestSequence = 0;
  #itemSequence = 0;
  #replicaCount = 0;
  #pendingWakeAtMs = Number.POSITIVE_INFINITY;
  #draining = false;
  /** Since the first traced request. */
  #hasTraces = false;
  #nowMs = 0;
  #inFlight = 0;

  constructor(
    graph: ServingGraph,
    limits: SchedulerLimits,
    effects: ServingEffects<Payload, Context, Failure>,
    payloads: PayloadAlgebra<Payload, Context>,
  ) {
    this.#graph = graph;
    this.#effects = effects;
    this.#watched = limits.watchReplicas ?? false;
    this.#answerMarginMs = limits.answerMarginMs ?? 0;
    this.#gate = new CoreGate(limits.hostCores);
    this.#limits = limits;
    this.#stageEffects = {
      startBatch: (replica, nowMs) => this.#startBatch(replica, nowMs),
      dropItem: (item, reason) => this.#dropItem(item, reason),
      passes: (item) => this.#passes(item),
      mayTryAlone: (item) => this.#verdictOn(item) !== 'guilty' || this.#refuse(item),
      runsLate: (replica) => this.#setLate(replica, true),
      wakeAt: (atMs) => this.#wakeAt(atMs),
    };
    this.#stages = graph.stages.map(({ index }) => new StageScheduler(index, this.#gate, limits, this.#stageEffects));
    this.#lanes = this.#stages;
    this.#arrivals = graph.stages.map(() => 0);
    this.#walk = new GraphWalk(graph, payloads, {
      deliver: (request, stage, scope, payload) => this.#enqueue(request, stage, scope, payload),
      admits: (request, edge, items) => this.#admitItems(request, edge, items),
      discard: (request, stages) => this.#discardCancelled(request, stages),
      cannotAnswer: (request) => this.#endAsLost(request),
    });
  }

  get inFlight(): number {
    return this.#inFlight;
  }

  get edgeCounts(): EdgeCounts {
    return this.#walk.edgeCounts;
  }

  queueLength(stage: number): number {
    return this.#lanesOf(stage).reduce((sum, { length }) => sum + length, 0);
  }

  /** Items that came to a stage since the start, without retries. */
  arrivals(stage: number): number {
    return this.#arrivals[stage] as number;
  }

  /** Expected time in ms until all waiting items have started, at the slowest stage. */
  predictedWaitMs(): number {
    let longestMs = 0;
    for (const stage of this.#lanes) longestMs = Math.max(longestMs, stage.predictedWaitMs());
    return longestMs;
  }

  retries(stage: number): number {
    return this.#lanesOf(stage).reduce((sum, { retries }) => sum + retries, 0);
  }

  issues(stage: number): IssueCounts {
    const [main, canary] = this.#lanesOf(stage).map(({ issues }) => issues);
    if (main === undefined || canary === undefined) return this.#stage(stage).issues;
    return {
      opened: main.opened + canary.opened,
      failing: main.failing + canary.failing,
      slow: main.slow + canary.slow,
      hung: main.hung + canary.hung,
    };
  }

  /** Reason of an entry stage to refuse requests that arrive together; undefined if all may enter. */
  refusal(requests: number, arrival: Arrival<Context>): DropReason | undefined {
    for (const { to } of this.#graph.entries) {
      const reason = this.#stage(to).refusal(requests, arrival);
      if (reason !== undefined) return reason;
    }
    return undefined;
  }

  /** Accepts a request, which may end before `arrive` returns. */
  arrive(arrival: Arrival<Context>, inputs: Payload): RequestState<Payload, Context> {
    const request = this.#enter(arrival, inputs);
    this.#settle();
    return request;
  }

  /** Accepts requests that arrive together: all are queued before the first batch forms. */
  arriveAll(arrivals: readonly Arrival<Context>[], inputs: readonly Payload[]): RequestState<Payload, Context>[] {
    const requests = arrivals.map((arrival, index) => this.#enter(arrival, inputs[index] as Payload));
    this.#settle();
    return requests;
  }

  /**
   * Ends a running batch. `outputs` are ordered as `replica.batch`. Outputs of ended requests are ignored. `cpuMs` is the
   * CPU time of the batch, by default the time since its start.
   */
  batchDone(
    replica: ServingReplica<Payload, Context>,
    outputs: readonly Payload[],
    nowMs: number,
    cpuMs?: number | undefined,
  ): void {
    invariant(replica.busy, 'a replica finished a batch that it did not run');
    this.#nowMs = nowMs;
    const { batch, run } = replica;
    if (run !== undefined) run.endedAtMs = nowMs;
    replica.run = undefined;
    const stage = this.#laneOf(replica);
    if (replica.inCanary) this.#canary?.batchEnded(replica, nowMs);
    if (replica.health !== undefined) this.#judge(replica, nowMs);
    if (replica.health?.isLate) this.#setLate(replica, false);
    if (replica.runsSuspect && !replica.draining) this.#acquit(replica);
    stage.finish(replica, nowMs, cpuMs);
    if (replica.draining && !replica.lingers) this.#release(replica);
    try {
      for (let i = 0; i < batch.length; i++) {
        const item = batch[i] as StageItem<Payload, Context>;
        if (!item.request.ended) this.#advanceItem(item, replica, outputs[i] as Payload);
      }
    } finally {
      // Even after an exception: these items must not be in the next batch.
      replica.empty();
    }
    if (stage.length > 0) this.#markDirty(stage);
    this.#openGate();
    this.#settle();
  }

  /** Fails an item of a running batch. Its request fails, too, unless the item is retried or not needed. */
  failItem(item: StageItem<Payload, Context>, failure: Failure, nowMs: number): void {
    this.#nowMs = nowMs;
    this.#runAgainOrFail(item, { fault: 'unavailable', batchSize: 1 }, failure);
  }

  /** Removes a lost replica. Its items run again or fail. */
  loseReplica(replica: ServingReplica<Payload, Context>, failure: Failure, nowMs: number): void {
    this.#nowMs = nowMs;
    this.#leave(replica);
    if (!replica.busy) return;
    const lost = { fault: 'lost', batchSize: replica.batch.length } as const;
    for (const item of replica.batch) this.#runAgainOrFail(item, lost, failure);
    this.#endLost(replica, nowMs);
  }

  /**
   * Ends the batch of a hung replica, which is then replaced. An input that hung alone is quarantined; on a server
   * elsewhere, only if it hung alone twice.
   */
  loseHung(replica: ServingReplica<Payload, Context>, nowMs: number): void {
    this.#nowMs = nowMs;
    this.#replace(replica, 'hung');
    const { batch, stage } = replica;
    // In a canary, the new variant may be the cause of a hang, not the input.
    const mayBeNetwork = this.#graph.stages[stage]?.isRemote === true && !replica.runsSuspect;
    const isProof = batch.length === 1 && !replica.inCanary && !mayBeNetwork;
    for (const item of batch) {
      const key = this.#effects.inputKey(item);
      if (isProof) this.#convict(stage, key);
      else this.#quarantine.suspect(stage, key, nowMs);
    }
    for (const lane of this.#lanesOf(stage)) lane.screenBefore = this.#itemSequence;
    for (const item of batch) {
      if (isProof) this.#refuse(item);
      else this.#runAgainOrFail(item, { fault: 'hung', batchSize: batch.length }, this.#effects.hungFailure(stage));
    }
    this.#endLost(replica, nowMs);
  }

  quarantined(nowMs: number): readonly QuarantinedInput[] {
    return this.#quarantine.list(nowMs);
  }

  clearQuarantine(stage: number, nowMs: number): number {
    return this.#quarantine.clear(stage, nowMs);
  }

  /** Fails the items of a batch by the stage's fault, or has them run again. Call `batchDone` next. */
  failBatch(
    replica: ServingReplica<Payload, Context>,
    failures: ReadonlyMap<StageItem<Payload, Context>, Failure>,
    fault: Extract<BatchFault, 'failed' | 'unavailable'>,
    nowMs: number,
  ): void {
    this.#nowMs = nowMs;
    this.#canary?.batchFailed(replica);
    if (replica.health !== undefined) replica.health.batchFailed = true;
    for (const [item, failure] of failures) this.#runAgainOrFail(item, { fault, batchSize: failures.size }, failure);
  }

  /** Fails a request and ignores its items. Does nothing if the request has ended. */
  failRequest(request: RequestState<Payload, Context>, failure: Failure, nowMs: number): void {
    if (request.ended) return;
    this.#end(request);
    this.#canary?.ended(request, 'failed');
    this.#effects.fail(request, failure, nowMs);
  }

  cancel(request: RequestState<Payload, Context>, nowMs: number): void {
    this.cancelAll([request], 'cancelled', nowMs);
  }

  /** Drops requests whose answers are not needed, with one pass over each queue. They do not count for a canary. */
  cancelAll(requests: readonly RequestState<Payload, Context>[], reason: DropReason, nowMs: number): void {
    this.#nowMs = nowMs;
    const open = requests.filter(({ ended }) => !ended);
    this.#endAll(open);
    for (const request of open) this.#effects.drop(request, reason, nowMs);
  }

  advance(nowMs: number): void {
    if (nowMs < this.#pendingWakeAtMs) return;
    this.#nowMs = nowMs;
    this.#pendingWakeAtMs = Number.POSITIVE_INFINITY;
    if (this.#watched) this.#endHung(nowMs);
    for (const stage of this.#lanes) this.#markDirty(stage);
    this.#settle();
    for (const stage of this.#lanes) {
      stage.expire(nowMs);
      this.#markDirty(stage);
    }
    this.#settle();
  }

  setPolicy(stage: number, policy: BatchPolicy, nowMs: number): void {
    this.#nowMs = nowMs;
    this.#stage(stage).setPolicy(policy);
    this.#walk.omit(stage, policy.isOmitted ?? false);
    if (policy.threshold !== undefined) this.#walk.setThreshold(stage, policy.threshold);
    for (const lane of this.#lanesOf(stage)) this.#markDirty(lane);
    this.#settle();
  }

  setHostCores(cores: number, nowMs: number): void {
    this.#nowMs = nowMs;
    this.#gate.cores = cores;
    this.#openGate();
    this.#settle();
  }

  /** Sets new limits (of the pipeline-wide limits only the answer margin). Accepted requests keep their deadlines. */
  setLimits(limits: StageLimits & Pick<SchedulerLimits, 'answerMarginMs'>, nowMs: number): void {
    this.#nowMs = nowMs;
    this.#answerMarginMs = limits.answerMarginMs ?? 0;
    this.#limits = { ...this.#limits, ...limits };
    for (const stage of this.#lanes) {
      stage.setLimits(limits);
      this.#markDirty(stage);
    }
    this.#settle();
  }

  addReplica(stage: number, description: ReplicaDescription, nowMs: number): ServingReplica<Payload, Context> {
    this.#nowMs = nowMs;
    const replica = new ServingReplica<Payload, Context>({ stage, index: this.#replicaCount++ }, description, {
      nowMs,
      watched: this.#watched,
    });
    const lane = this.#laneOf(replica);
    lane.replicas.push(replica);
    this.#markDirty(lane);
    this.#settle();
    return replica;
  }

  /** Opens a canary at a stage; only one may be open. It gets no requests until `setCanaryFraction`. */
  openCanary(stage: number, policy: CanaryPolicy): void {
    invariant(this.#canary === undefined, 'one canary is open at a time');
    const canary = new StageScheduler(this.#stages.length, this.#gate, this.#limits, this.#stageEffects);
    canary.setPolicy(policy);
    this.#canary = new CanaryLane(stage, { main: this.#stage(stage), canary }, policy.profile);
    this.#lanes = [...this.#stages, canary];
  }

  setCanaryFraction(fraction: number): void {
    if (this.#canary !== undefined) this.#canary.fraction = fraction;
  }

  get canaryCounts(): CanaryCounts | undefined {
    return this.#canary?.counts;
  }

  /** Moves waiting items and all replicas to the main lane. */
  closeCanary(nowMs: number): void {
    const canary = this.#canary;
    if (canary === undefined) return;
    this.#nowMs = nowMs;
    const main = this.#stage(canary.stage);
    main.absorb(canary.scheduler, nowMs);
    this.#canary = undefined;
    this.#lanes = this.#stages;
    this.#markDirty(main);
    this.#settle();
  }

  /**
   * Calls `drained` at once if the replica is free, otherwise after its batch. A replica of an omitted stage first runs
   * the waiting items.
   */
  drainReplica(replica: ServingReplica<Payload, Context>): void {
    if (replica.draining) return;
    if (!this.#hasLeftovers(replica)) {
      this.#leave(replica);
      return;
    }
    replica.draining = true;
    replica.lingers = true;
    this.#lingering.push(replica);
  }

  beginDraining(): void {
    this.#draining = true;
  }

  #enter(arrival: Arrival<Context>, inputs: Payload): RequestState<Payload, Context> {
    const request = new RequestState<Payload, Context>(this.#requestSequence++, arrival, this.#graph.answers.length);
    this.#nowMs = arrival.arrivedAtMs;
    this.#inFlight += 1;
    if (arrival.trace !== undefined) this.#hasTraces = true;
    if (this.#draining) {
      this.#drop(request, 'draining');
      return request;
    }
    if (this.#answerMarginMs > 0) request.keepFree(this.#answerMarginMs, this.#leastMs());
    this.#walk.enter(request, inputs);
    this.#completeIfWhole(request);
    return request;
  }

  #startBatch(replica: ServingReplica<Payload, Context>, nowMs: number): void {
    if (replica.inCanary) this.#canary?.batchStarted(replica, nowMs);
    if (this.#hasTraces) replica.record(nowMs);
    this.#effects.startBatch(replica, nowMs);
  }

  #runAgainOrFail(
    item: StageItem<Payload, Context>,
    { fault, batchSize }: { readonly fault: BatchFault; readonly batchSize: number },
    failure: Failure,
  ): void {
    item.request.trace?.failed(item);
    const stage = this.#stage(item.stage);
    const isIdempotent = this.#graph.stages[item.stage]?.idempotent === true;
    const rerun = isIdempotent ? rerunAfter(fault, item, { batchSize, isSuspect: this.#isSuspected(item) }) : 'never';
    const runsAgain = !item.request.ended && stage.fits(item, rerun, this.#nowMs);
    // A replica that is lost from outside tells nothing about a canary.
    if (item.inCanary && !(runsAgain && fault === 'lost')) this.#canary?.itemFailed(item, runsAgain);
    if (!runsAgain) {
      this.#fail(item, failure);
      return;
    }
    const retried = this.#retried(item);
    if (retried === undefined) return;
    if (rerun === 'together') stage.takeBack(retried, this.#nowMs);
    else {
      if (fault !== 'hung') this.#failed.set(retried, failure);
      stage.takeBackAlone(retried);
    }
    this.#markDirty(stage);
  }

  #fail(item: StageItem<Payload, Context>, failure: Failure): void {
    item.withdrawn = true;
    if (this.#walk.canDiscard(item.stage)) this.#lose(item, { kind: 'failed', failure });
    else this.failRequest(item.request, failure, this.#nowMs);
  }

  #dropItem(item: StageItem<Payload, Context>, reason: DropReason): void {
    item.request.trace?.dropped(item, this.#nowMs);
    const failure = item.isRetry ? this.#failed.get(item) : undefined;
    if (failure !== undefined) this.#fail(item, failure);
    else if (this.#walk.canDiscard(item.stage)) this.#lose(item, { kind: 'dropped', reason, stage: item.stage });
    else {
      if (!item.request.ended) item.request.droppedAtStage = item.stage;
      this.#drop(item.request, reason);
    }
  }

  #wakeAt(atMs: number): void {
    // Overdue wake-ups are due now.
    const dueAtMs = Math.max(atMs, this.#nowMs);
    if (dueAtMs >= this.#pendingWakeAtMs) return;
    this.#pendingWakeAtMs = dueAtMs;
    this.#effects.wakeAt(dueAtMs);
  }

  /** Minimum time in ms that a new request needs; 0 if unknown. */
  #leastMs(): number {
    let leastMs = 0;
    for (const { to } of this.#graph.entries) leastMs = Math.max(leastMs, this.#stage(to).leastMs);
    return leastMs;
  }

  #enqueue(
    request: RequestState<Payload, Context>,
    stage: number,
    scope: Scope<Payload> | undefined,
    payload: Payload,
  ): void {
    if (request.ended || this.#walk.isCancelled(request, stage, scope)) return;
    this.#arrivals[stage] = (this.#arrivals[stage] as number) + 1;
    const place = { stage, scope, payload, enqueuedAtMs: this.#nowMs, sequence: this.#itemSequence++ };
    const item = new StageItem<Payload, Context>(request, place);
    if (this.#quarantine.screens(stage, this.#nowMs) && !this.#passes(item)) return;
    const lane = this.#laneFor(item);
    lane.enqueue(item, this.#nowMs);
    this.#markDirty(lane);
  }

  #isSuspected(item: StageItem<Payload, Context>): boolean {
    return this.#quarantine.screens(item.stage, this.#nowMs) && this.#verdictOn(item) !== 'free';
  }

  #verdictOn(item: StageItem<Payload, Context>): Verdict {
    return this.#quarantine.verdictOn(item.stage, this.#effects.inputKey(item), this.#nowMs);
  }

  /** True if an item may run with others. Otherwise it was refused, or waits to run alone. */
  #passes(item: StageItem<Payload, Context>): boolean {
    const verdict = this.#verdictOn(item);
    if (verdict === 'free') return true;
    const stage = this.#stage(item.stage);
    item.inCanary = false;
    if (verdict === 'guilty') this.#refuse(item);
    else stage.enqueueSuspect(item, this.#nowMs);
    this.#markDirty(stage);
    return false;
  }

  #refuse(item: StageItem<Payload, Context>): false {
    this.#fail(item, this.#effects.quarantineFailure(item.stage));
    return false;
  }

  #convict(stage: number, key: string): void {
    this.#quarantine.convict(stage, key, this.#nowMs);
    this.#effects.inputQuarantined(stage, key);
  }

  #acquit({ stage, batch }: ServingReplica<Payload, Context>): void {
    for (const item of batch) this.#quarantine.acquit(stage, this.#effects.inputKey(item));
  }

  #endLost(replica: ServingReplica<Payload, Context>, nowMs: number): void {
    this.#canary?.batchFailed(replica);
    this.batchDone(replica, [], nowMs);
  }

  #admitItems(request: RequestState<Payload, Context>, edge: ServingEdge, items: number): boolean {
    const most = this.#stage(edge.to).maxQueueLength;
    if (items <= most) return !request.ended;
    this.failRequest(request, this.#effects.tooManyItems(edge, items, most), this.#nowMs);
    return false;
  }

  #endHung(nowMs: number): void {
    for (const stage of this.#lanes) {
      for (let hung = stage.findHung(nowMs); hung !== undefined; hung = stage.findHung(nowMs)) {
        this.loseHung(hung, nowMs);
      }
    }
  }

  #judge(replica: ServingReplica<Payload, Context>, nowMs: number): void {
    if (replica.draining) return;
    const trouble = this.#laneOf(replica).issueOf(replica, nowMs);
    if (trouble !== undefined) this.#replace(replica, trouble);
  }

  #setLate(replica: ServingReplica<Payload, Context>, isLate: boolean): void {
    if (replica.health !== undefined) replica.health.isLate = isLate;
    if (!replica.draining) this.#effects.runsLate(replica, isLate);
  }

  #replace(replica: ServingReplica<Payload, Context>, trouble: HealthIssue): void {
    this.#laneOf(replica).issues[trouble] += 1;
    replica.draining = true;
    replica.lingers = false;
    this.#effects.unhealthy(replica, trouble, this.#nowMs);
  }

  /** Copy of an item for its retry; undefined if its result no longer counts. */
  #retried(item: StageItem<Payload, Context>): StageItem<Payload, Context> | undefined {
    const { request, stage, scope, payload } = item;
    if (item.withdrawn || request.ended || this.#walk.isCancelled(request, stage, scope)) return undefined;
    item.withdrawn = true;
    const place = { stage, scope, payload, enqueuedAtMs: this.#nowMs, sequence: this.#itemSequence++ };
    return new RetriedItem<Payload, Context>(request, place);
  }

  #advanceItem(
    item: StageItem<Payload, Context>,
    { stage, variantId }: ServingReplica<Payload, Context>,
    output: Payload,
  ): void {
    const { request, scope } = item;
    if (item.withdrawn || this.#walk.isCancelled(request, stage, scope)) return;
    if (!this.#walk.answer(request, item, output)) this.#walk.leave(request, item, output, variantId);
    this.#completeIfWhole(request);
  }

  #completeIfWhole(request: RequestState<Payload, Context>): void {
    if (request.ended || request.missingOutputs > 0) return;
    this.#end(request);
    this.#canary?.ended(request, this.#nowMs <= request.dueAtMs ? 'in-time' : 'missed');
    this.#effects.complete(request, this.#nowMs);
  }

  #drop(request: RequestState<Payload, Context>, reason: DropReason): void {
    if (request.ended) return;
    this.#end(request);
    this.#canary?.ended(request, 'missed');
    this.#effects.drop(request, reason, this.#nowMs);
  }

  #end(request: RequestState<Payload, Context>): void {
    request.ended = true;
    this.#inFlight -= 1;
    if (request.queuedItems > 0) this.#discardEnded(request.level);
  }

  #endAll(requests: readonly RequestState<Payload, Context>[]): void {
    const levels = new Set<number>();
    for (const request of requests) {
      request.ended = true;
      this.#inFlight -= 1;
      if (request.queuedItems > 0) levels.add(request.level);
    }
    for (const level of levels) this.#discardEnded(level);
  }

  #discardEnded(level: number): void {
    for (const lane of this.#lanes) lane.discard(level, ({ request }) => request.ended);
  }

  #lose({ request, stage, scope }: StageItem<Payload, Context>, loss: Loss<Failure>): void {
    if (request.ended || this.#walk.isCancelled(request, stage, scope)) return;
    this.#losses.set(request, loss);
    this.#walk.lose(request, stage, scope);
    // A combine stage may answer once its last missing member is known to be lost.
    this.#completeIfWhole(request);
  }

  #endAsLost(request: RequestState<Payload, Context>): void {
    const loss = this.#losses.get(request);
    invariant(loss !== undefined, 'a request is given up for something that it lost');
    if (loss.kind === 'failed') this.failRequest(request, loss.failure, this.#nowMs);
    else {
      if (!request.ended) request.droppedAtStage = loss.stage;
      this.#drop(request, loss.reason);
    }
  }

  #discardCancelled(request: RequestState<Payload, Context>, stages: readonly number[]): void {
    for (const stage of stages) {
      if (request.queuedItems === 0) return;
      for (const lane of this.#lanesOf(stage)) {
        lane.discard(
          request.level,
          (item) => item.request === request && this.#walk.isCancelled(request, stage, item.scope),
        );
        this.#markDirty(lane);
      }
    }
  }

  #hasLeftovers({ stage }: ServingReplica<Payload, Context>): boolean {
    return this.#walk.omits(stage) && this.#stage(stage).length > 0;
  }

  #leave(replica: ServingReplica<Payload, Context>): void {
    if (replica.draining && !replica.lingers) return;
    replica.draining = true;
    replica.lingers = false;
    if (!replica.busy) this.#release(replica);
  }

  #releaseLingering(): void {
    for (const replica of this.#lingering)
      if (replica.lingers && !replica.busy && !this.#hasLeftovers(replica)) this.#leave(replica);
    this.#lingering = this.#lingering.filter(({ lingers }) => lingers);
  }

  #release(replica: ServingReplica<Payload, Context>): void {
    const { replicas } = this.#laneOf(replica);
    const position = replicas.indexOf(replica);
    if (position >= 0) replicas.splice(position, 1);
    this.#effects.drained(replica);
  }

  #markDirty(stage: StageScheduler<Payload, Context>): void {
    if (stage.isDirty) return;
    stage.isDirty = true;
    this.#dirty[this.#dirty.length] = stage;
  }

  #openGate(): void {
    for (let i = 0; i < this.#lanes.length; i++) {
      const stage = this.#lanes[i] as StageScheduler<Payload, Context>;
      if (stage.waitsAtGate) this.#markDirty(stage);
    }
  }

  /**
   * Starts batches one by one, the stage with the earliest deadline first. So the core gate follows deadlines, and all
   * arrivals of one event are queued before the first batch forms.
   */
  #settle(): void {
    const attention = this.#dirty;
    const nowMs = this.#nowMs;
    while (attention.length > 0) {
      const first = attention.length === 1 ? 0 : mostUrgent(attention);
      const stage = attention[first] as StageScheduler<Payload, Context>;
      if (stage.dispatchOne(nowMs)) continue;
      stage.isDirty = false;
      attention[first] = attention[attention.length - 1] as StageScheduler<Payload, Context>;
      attention.pop();
    }
    if (this.#lingering.length > 0) this.#releaseLingering();
  }

  #stage(index: number): StageScheduler<Payload, Context> {
    return this.#stages[index] as StageScheduler<Payload, Context>;
  }

  #laneOf({ stage, inCanary }: ServingReplica<Payload, Context>): StageScheduler<Payload, Context> {
    return inCanary && this.#canary !== undefined ? this.#canary.scheduler : this.#stage(stage);
  }

  #laneFor(item: StageItem<Payload, Context>): StageScheduler<Payload, Context> {
    const canary = this.#canary;
    if (canary === undefined || canary.stage !== item.stage || !canary.takes(item.request, this.#nowMs))
      return this.#stage(item.stage);
    item.inCanary = true;
    return canary.scheduler;
  }

  #lanesOf(stage: number): readonly StageScheduler<Payload, Context>[] {
    const main = this.#stage(stage);
    return this.#canary?.stage === stage ? [main, this.#canary.scheduler] : [main];
  }
}

/** Index of the most urgent stage. */
function mostUrgent<Payload, Context>(stages: readonly StageScheduler<Payload, Context>[]): number {
  let first = 0;
  for (let i = 1; i < stages.length; i++) {
    const stage = stages[i] as StageScheduler<Payload, Context>;
    if (stage.isMoreUrgentThan(stages[first] as StageScheduler<Payload, Context>)) first = i;
  }
  return first;
}

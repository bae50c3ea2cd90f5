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
import type { BatchPolicy } from './batch-policy.js';
import type { CanaryPolicy } from './canary-lane.js';
import type { EdgeCounts } from './edge-counts.js';
import { GraphWalk, type PayloadAlgebra } from './graph-walk.js';
import type { QuarantinedInput } from './health/quarantine.js';
import type { IssueCounts } from './health/replica-health.js';
import { InputScreen } from './input-screen.js';
import { type ReplicaDescription, ServingReplica } from './replica.js';
import { ReplicaExits } from './replica-exits.js';
import { RequestEnds } from './request-ends.js';
import { type Arrival, RequestState, type StageItem } from './request-state.js';
import type { BatchFault } from './rerun.js';
import type { SchedulerLimits, ServingEffects } from './serving-effects.js';
import type { ServingEdge, ServingGraph } from './serving-graph.js';
import { StageItems } from './stage-items.js';
import { StageLanes } from './stage-lanes.js';
import type { StageEffects, StageLimits } from './stage-scheduler.js';
import { WalkSlices } from './walk-slices.js';

/** Single-threaded, deterministic. */
export class PipelineScheduler<Payload, Context, Failure = never> {
  readonly #graph: ServingGraph;
  readonly #effects: ServingEffects<Payload, Context, Failure>;
  readonly #clock = { nowMs: 0 };
  readonly #lanes: StageLanes<Payload, Context>;
  readonly #walk: GraphWalk<Payload, Context>;
  readonly #slices: WalkSlices<Payload, Context>;
  readonly #ends: RequestEnds<Payload, Context, Failure>;
  readonly #screen: InputScreen<Payload, Context>;
  readonly #items: StageItems<Payload, Context, Failure>;
  readonly #exits: ReplicaExits<Payload, Context, Failure>;
  readonly #watched: boolean;
  #answerMarginMs: number;
  #requestSequence = 0;
  #replicaCount = 0;
  #pendingWakeAtMs = Number.POSITIVE_INFINITY;
  #draining = false;
  /** Since the first traced request. */
  #hasTraces = false;

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
    this.#lanes = new StageLanes(graph.stages.length, limits, this.#stageEffects());
    this.#walk = new GraphWalk(graph, payloads, {
      deliver: (request, stage, scope, payload) => this.#items.enqueue(request, stage, scope, payload),
      admits: (request, edge, items) => this.#admitItems(request, edge, items),
      discard: (request, stages) => this.#ends.discardCancelled(request, stages),
      cannotAnswer: (request) => this.#ends.endAsLost(request),
    });
    this.#slices = new WalkSlices(graph.nodes, {
      steps: () => payloads.steps?.() ?? 0,
      walk: (item, replica, output) => this.#advanceItem(item, replica, output),
      expire: (item) => this.#ends.dropItem(item, 'deadline-passed'),
      pause: effects.walkLater && (() => effects.walkLater?.()),
    });
    const deps = { effects, lanes: this.#lanes, walk: this.#walk, clock: this.#clock };
    this.#ends = new RequestEnds(deps);
    this.#exits = new ReplicaExits(deps);
    this.#screen = new InputScreen(effects);
    this.#items = new StageItems(graph.stages, { ...deps, ends: this.#ends, screen: this.#screen });
  }

  get inFlight(): number {
    return this.#ends.inFlight;
  }

  get edgeCounts(): EdgeCounts {
    return this.#walk.edgeCounts;
  }

  queueLength(stage: number): number {
    return this.#lanes.queueLength(stage);
  }

  /** Items that came to a stage since the start, without retries. */
  arrivals(stage: number): number {
    return this.#items.arrivals(stage);
  }

  /** Expected time in ms until all waiting items have started, at the slowest stage. */
  predictedWaitMs(): number {
    return this.#lanes.predictedWaitMs();
  }

  retries(stage: number): number {
    return this.#lanes.retries(stage);
  }

  issues(stage: number): IssueCounts {
    return this.#lanes.issues(stage);
  }

  /** Reason of an entry stage to refuse requests that arrive together; undefined if all may enter. */
  refusal(requests: number, arrival: Arrival<Context>): DropReason | undefined {
    for (const { to } of this.#graph.entries) {
      if (this.#walk.omits(to)) continue;
      const reason = this.#lanes.main(to).refusal(requests, arrival);
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
    this.#clock.nowMs = nowMs;
    const { batch, run } = replica;
    if (run !== undefined) run.endedAtMs = nowMs;
    replica.run = undefined;
    const lane = this.#lanes.laneOf(replica);
    if (replica.inCanary) this.#lanes.canary?.batchEnded(replica, nowMs);
    if (replica.health !== undefined) this.#exits.judge(replica);
    if (replica.health?.isLate) this.#exits.setLate(replica, false);
    if ((replica.runsSuspect || replica.runsIsolated) && !replica.draining)
      for (const item of batch) this.#screen.acquit(item, nowMs);
    if (outputs.length > 0) this.#screen.noteCompleted(batch, nowMs);
    lane.finish(replica, nowMs, cpuMs);
    this.#exits.batchEnded(replica);
    try {
      for (let i = 0; i < batch.length; i++) {
        const item = batch[i] as StageItem<Payload, Context>;
        if (!item.request.ended) this.#slices.take(item, replica, outputs[i] as Payload);
      }
    } finally {
      // Even after an exception: these items must not be in the next batch.
      replica.empty();
    }
    if (lane.length > 0) this.#lanes.markDirty(lane);
    this.#lanes.openGate();
    this.#settle();
  }

  /** Walks outputs on that wait since a pause. Adds the request of each to `walked` before its walk. */
  walkOn(walked: RequestState<Payload, Context>[], nowMs: number): void {
    this.#clock.nowMs = nowMs;
    try {
      this.#slices.walkOn(walked, nowMs);
    } finally {
      this.#settle();
    }
  }

  /** Fails an item of a running batch. Its request fails, too, unless the item is retried or not needed. */
  failItem(item: StageItem<Payload, Context>, failure: Failure, nowMs: number): void {
    this.#clock.nowMs = nowMs;
    this.#items.runAgainOrFail(item, { fault: 'unavailable', batchSize: 1 }, failure);
  }

  /** Removes a lost replica. Its items run again or fail. */
  loseReplica(
    replica: ServingReplica<Payload, Context>,
    failure: Failure,
    nowMs: number,
    fault: Extract<BatchFault, 'lost' | 'unsent'> = 'lost',
  ): void {
    this.#clock.nowMs = nowMs;
    this.#exits.leave(replica);
    if (!replica.busy) return;
    const { batch, stage } = replica;
    const isRepeated = fault === 'lost' && this.#screen.noteLost(stage, nowMs);
    const lost = {
      fault: isRepeated ? 'lost-again' : fault,
      batchSize: batch.length,
      isIsolated: replica.runsIsolated,
    } as const;
    for (const item of batch) this.#items.runAgainOrFail(item, lost, failure);
    this.#endLost(replica, nowMs);
  }

  /**
   * Ends the batch of a hung replica, which is then replaced. An input that hung alone is quarantined; on a server
   * elsewhere, only if it hung alone twice.
   */
  loseHung(replica: ServingReplica<Payload, Context>, nowMs: number): void {
    this.#clock.nowMs = nowMs;
    this.#exits.replace(replica, 'hung');
    const { batch, stage } = replica;
    // In a canary, the new variant may be the cause of a hang, not the input.
    const isSuspect = replica.runsSuspect || (replica.runsIsolated && this.#screen.isSuspect(batch, nowMs));
    const mayBeNetwork = this.#graph.stages[stage]?.isRemote === true && !isSuspect;
    const isProof = batch.length === 1 && !replica.inCanary && !mayBeNetwork;
    this.#screen.noteHung(batch, isProof, nowMs);
    this.#items.screenQueued(stage);
    const hung = { fault: 'hung', batchSize: batch.length } as const;
    for (const item of batch) {
      if (isProof) this.#items.refuse(item);
      else this.#items.runAgainOrFail(item, hung, this.#effects.hungFailure(stage));
    }
    this.#endLost(replica, nowMs);
  }

  quarantined(nowMs: number): readonly QuarantinedInput[] {
    return this.#screen.list(nowMs);
  }

  clearQuarantine(stage: number, nowMs: number): number {
    return this.#screen.clear(stage, nowMs);
  }

  /** Fails the items of a batch by the stage's fault, or has them run again. Call `batchDone` next. */
  failBatch(
    replica: ServingReplica<Payload, Context>,
    failures: ReadonlyMap<StageItem<Payload, Context>, Failure>,
    fault: Extract<BatchFault, 'failed' | 'unavailable'>,
    nowMs: number,
  ): void {
    this.#clock.nowMs = nowMs;
    this.#lanes.canary?.batchFailed(replica);
    if (replica.health !== undefined) replica.health.batchFailed = true;
    const batchFault = { fault, batchSize: failures.size };
    for (const [item, failure] of failures) this.#items.runAgainOrFail(item, batchFault, failure);
  }

  /** Fails a request and ignores its items. Does nothing if the request has ended. */
  failRequest(request: RequestState<Payload, Context>, failure: Failure, nowMs: number): void {
    this.#ends.fail(request, failure, nowMs);
    this.#exits.releaseLingering();
  }

  cancel(request: RequestState<Payload, Context>, nowMs: number): void {
    this.cancelAll([request], 'cancelled', nowMs);
  }

  /** Drops requests whose answers are not needed, with one pass over each queue. They do not count for a canary. */
  cancelAll(requests: readonly RequestState<Payload, Context>[], reason: DropReason, nowMs: number): void {
    this.#clock.nowMs = nowMs;
    this.#ends.cancelAll(requests, reason);
    this.#exits.releaseLingering();
  }

  advance(nowMs: number): void {
    if (nowMs < this.#pendingWakeAtMs) return;
    this.#clock.nowMs = nowMs;
    this.#pendingWakeAtMs = Number.POSITIVE_INFINITY;
    if (this.#watched) this.#endHung(nowMs);
    this.#lanes.markAllDirty();
    this.#settle();
    for (const lane of this.#lanes.all) {
      lane.expire(nowMs);
      this.#lanes.markDirty(lane);
    }
    this.#settle();
  }

  setPolicy(stage: number, policy: BatchPolicy, nowMs: number): void {
    this.#clock.nowMs = nowMs;
    this.#lanes.main(stage).setPolicy(policy);
    this.#walk.omit(stage, policy.isOmitted ?? false);
    if (policy.threshold !== undefined) this.#walk.setThreshold(stage, policy.threshold);
    if (policy.quorum !== undefined) this.#walk.setQuorum(stage, policy.quorum);
    for (const lane of this.#lanes.lanesOf(stage)) this.#lanes.markDirty(lane);
    this.#settle();
  }

  setHostCores(cores: number, nowMs: number): void {
    this.#clock.nowMs = nowMs;
    this.#lanes.setHostCores(cores);
    this.#settle();
  }

  /** Sets new limits (of the pipeline-wide limits only the answer margin). Accepted requests keep their deadlines. */
  setLimits(limits: StageLimits & Pick<SchedulerLimits, 'answerMarginMs'>, nowMs: number): void {
    this.#clock.nowMs = nowMs;
    this.#answerMarginMs = limits.answerMarginMs ?? 0;
    this.#lanes.setLimits(limits);
    this.#settle();
  }

  addReplica(stage: number, description: ReplicaDescription, nowMs: number): ServingReplica<Payload, Context> {
    this.#clock.nowMs = nowMs;
    const replica = new ServingReplica<Payload, Context>({ stage, index: this.#replicaCount++ }, description, {
      nowMs,
      watched: this.#watched,
    });
    const lane = this.#lanes.laneOf(replica);
    lane.addReplica(replica);
    this.#lanes.markDirty(lane);
    this.#settle();
    return replica;
  }

  /** True if new requests skip a stage. */
  omits(stage: number): boolean {
    return this.#walk.omits(stage);
  }

  /** Opens a canary at a stage; only one may be open. It gets no requests until `setCanaryFraction`. */
  openCanary(stage: number, policy: CanaryPolicy): void {
    this.#lanes.openCanary(stage, policy);
  }

  setCanaryFraction(fraction: number): void {
    if (this.#lanes.canary !== undefined) this.#lanes.canary.fraction = fraction;
  }

  get canaryCounts(): CanaryCounts | undefined {
    return this.#lanes.canary?.counts;
  }

  /** Moves waiting items and all replicas to the main lane. */
  closeCanary(nowMs: number): void {
    if (this.#lanes.canary === undefined) return;
    this.#clock.nowMs = nowMs;
    this.#lanes.closeCanary(nowMs);
    this.#settle();
  }

  /**
   * Calls `drained` at once if the replica is free, otherwise after its batch. A replica of an omitted stage serves until
   * no request needs the stage.
   */
  drainReplica(replica: ServingReplica<Payload, Context>): void {
    this.#exits.drain(replica);
  }

  /** Has a replica leave that can serve no longer, after its batch. */
  removeReplica(replica: ServingReplica<Payload, Context>): void {
    this.#exits.leave(replica);
  }

  beginDraining(): void {
    this.#draining = true;
    this.#walk.close();
    this.#exits.releaseLingering();
  }

  #stageEffects(): StageEffects<Payload, Context> {
    return {
      startBatch: (replica, nowMs) => this.#startBatch(replica, nowMs),
      dropItem: (item, reason) => this.#items.drop(item, reason),
      passes: (item) => this.#items.passes(item),
      isAlike: (item) => this.#items.isAlike(item),
      mayTryAlone: (item) => this.#items.mayTryAlone(item),
      runsLate: (replica) => this.#exits.setLate(replica, true),
      wakeAt: (atMs) => this.#wakeAt(atMs),
    };
  }

  #enter(arrival: Arrival<Context>, inputs: Payload): RequestState<Payload, Context> {
    const request = new RequestState<Payload, Context>(this.#requestSequence++, arrival, this.#graph.answers.length);
    this.#clock.nowMs = arrival.arrivedAtMs;
    this.#ends.accept();
    if (arrival.trace !== undefined) this.#hasTraces = true;
    if (this.#draining) {
      this.#ends.drop(request, 'draining');
      return request;
    }
    if (this.#answerMarginMs > 0) request.keepFree(this.#answerMarginMs, this.#leastMs());
    this.#walk.enter(request, inputs);
    this.#ends.completeIfWhole(request);
    return request;
  }

  /** Minimum time in ms that a new request needs; 0 if unknown. */
  #leastMs(): number {
    let leastMs = 0;
    for (const { to } of this.#graph.entries)
      if (!this.#walk.omits(to)) leastMs = Math.max(leastMs, this.#lanes.main(to).leastMs);
    return leastMs;
  }

  #admitItems(request: RequestState<Payload, Context>, edge: ServingEdge, items: number): boolean {
    const most = this.#lanes.main(edge.to).maxQueueLength;
    if (items <= most) return !request.ended;
    this.#ends.fail(request, this.#effects.tooManyItems(edge, items, most));
    return false;
  }

  #startBatch(replica: ServingReplica<Payload, Context>, nowMs: number): void {
    if (replica.inCanary) this.#lanes.canary?.batchStarted(replica, nowMs);
    if (this.#hasTraces) replica.record(nowMs);
    this.#effects.startBatch(replica, nowMs);
  }

  #advanceItem(
    item: StageItem<Payload, Context>,
    { stage, variantId }: ServingReplica<Payload, Context>,
    output: Payload,
  ): void {
    const { request, scope } = item;
    if (item.withdrawn || this.#walk.isCancelled(request, stage, scope)) return;
    if (!this.#walk.answer(request, item, output)) this.#walk.leave(request, item, output, variantId);
    this.#ends.completeIfWhole(request);
  }

  #endLost(replica: ServingReplica<Payload, Context>, nowMs: number): void {
    this.#lanes.canary?.batchFailed(replica);
    this.#lanes.laneOf(replica).noteLost(replica, nowMs);
    this.batchDone(replica, [], nowMs);
  }

  #endHung(nowMs: number): void {
    for (const lane of this.#lanes.all) {
      for (let hung = lane.findHung(nowMs); hung !== undefined; hung = lane.findHung(nowMs)) {
        this.loseHung(hung, nowMs);
      }
    }
  }

  #wakeAt(atMs: number): void {
    // Overdue wake-ups are due now.
    const dueAtMs = Math.max(atMs, this.#clock.nowMs);
    if (dueAtMs >= this.#pendingWakeAtMs) return;
    this.#pendingWakeAtMs = dueAtMs;
    this.#effects.wakeAt(dueAtMs);
  }

  #settle(): void {
    this.#lanes.startBatches(this.#clock.nowMs);
    this.#exits.releaseLingering();
  }
}

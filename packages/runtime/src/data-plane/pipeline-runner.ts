/**
 * One served pipeline: supplies core's request policies with real time, replicas and tensors. `PipelineScheduler` makes
 * all decisions except the bound on bytes in flight.
 *
 * Every event (request, answer of a replica, alarm, change of replicas) is one turn of the policies; turns never nest.
 * An exception in a turn is a defect: it is reported, the requests of the turn fail, and serving continues.
 */

import { servingGraph } from '@equipoise/core/graph';
import {
  type AlarmClock,
  type AppError,
  type CanaryCounts,
  type DropReason,
  defaultPriorities,
  type EdgeCount,
  type HealthIssue,
  invariant,
  OMITTED,
  type PipelineSpec,
  type ReplicaId,
  runsElsewhere,
  type StageId,
  type TensorMap,
  type VariantId,
} from '@equipoise/core/model';
import type { ReadyReplica, ReplicaPool, StageBatching } from '@equipoise/core/ports';
import {
  type BatchPolicy,
  type CanaryPolicy,
  PipelineScheduler,
  type SchedulerLimits,
  type ServingEffects,
  type SourceCounts,
  tooManyItems,
} from '@equipoise/core/serve';
import { AccuracyWatch } from '../accuracy/accuracy-watch.js';
import type { AgreementWatch, ItemShadows } from '../accuracy/agreement-watch.js';
import { CanaryFeedback } from '../accuracy/canary-feedback.js';
import { ServedVariants } from '../accuracy/served-variants.js';
import type { RequestTracer } from '../trace/request-tracer.js';
import { monotonicClock } from './alarm-clock.js';
import { BytesInFlight } from './bytes-in-flight.js';
import { OwnedTensors } from './owned-tensors.js';
import { PayloadFlow } from './payload-flow.js';
import type { PendingRequest, PipelineOutcome, SubmitOptions } from './pending-request.js';
import { inputKey, inputOfKey, type QuarantinedInput } from './quarantined-input.js';
import { type BatchEnd, ReplicaBatches } from './replica-batches.js';
import type { RequestEnd } from './request-end.js';
import type { RequestStatistics } from './request-statistics.js';
import { RunnerEvents } from './runner-events.js';
import { type ReplicaBreaker, ServedReplicas } from './served-replicas.js';
import { ServedStages } from './served-stages.js';
import { type PartPlace, SourceParts } from './source-parts.js';
import { hungBatch, internalError, quarantinedInput } from './stage-failure.js';
import type { StageCounts } from './stage-statistics.js';
import { type EarlyRequest, SubmittedRequests } from './submitted-requests.js';
import { TurnQueue, warnOfDefect } from './turn-queue.js';

/** `hostCores` bounds the replica threads that compute at once; Infinity if replicas run elsewhere. */
export interface PipelineRunnerOptions {
  readonly spec: PipelineSpec;
  readonly hostCores: number;
  readonly clock?: AlarmClock;
  /** Receives defects of the data plane or of a listener. By default they become process warnings. */
  readonly onDefect?: (error: unknown) => void;
  /** Records the requests. Without it, they leave no trace. */
  readonly tracer?: RequestTracer | undefined;
  /** Get copies of items. Without it, answers are not compared. */
  readonly shadows?: ItemShadows | undefined;
}

export class PipelineRunner implements ReplicaPool {
  /** Resolves after `beginDraining`, once no request is left. */
  readonly drained: Promise<void>;
  /** Undefined if the pipeline takes no feedback. */
  readonly accuracy: AccuracyWatch | undefined;
  /** Undefined if no stage has a shadow. */
  readonly agreement: AgreementWatch | undefined;
  /** Undefined if requests leave no trace. */
  readonly tracer: RequestTracer | undefined;
  #spec: PipelineSpec;
  readonly #clock: AlarmClock;
  readonly #scheduler: PipelineScheduler<TensorMap, PendingRequest, AppError>;
  readonly #turns: TurnQueue;
  readonly #stages: ServedStages;
  readonly #requests: SubmittedRequests;
  readonly #batches: ReplicaBatches;
  readonly #bytes: BytesInFlight;
  readonly #outputs: BytesInFlight;
  readonly #owned = new OwnedTensors();
  readonly #parts: SourceParts;
  readonly #replicas: ServedReplicas;
  readonly #variants: ServedVariants | undefined;
  readonly #canaryFeedback: CanaryFeedback;
  readonly #events: RunnerEvents;
  readonly #shadows: ItemShadows | undefined;
  #draining = false;
  #markDrained = () => {};
  #cancelAlarm = () => {};

  constructor(options: PipelineRunnerOptions) {
    const { spec, hostCores, clock = monotonicClock, onDefect = warnOfDefect, tracer, shadows } = options;
    this.#spec = spec;
    this.#turns = new TurnQueue(onDefect);
    this.#events = new RunnerEvents(this.#turns);
    this.#clock = clock;
    this.tracer = tracer;
    this.#shadows = shadows;
    this.agreement = shadows?.agreement;
    const graph = servingGraph(spec);
    const flow = new PayloadFlow(graph, spec.outputs);
    this.#stages = new ServedStages(graph.stages.map(({ id }) => id));
    tracer?.setStages(this.#stages.ids);
    this.#bytes = new BytesInFlight(spec.admission.maxInFlightBytes);
    this.#outputs = new BytesInFlight(spec.admission.maxInFlightBytes);
    const limits = { ...limitsOf(spec.admission), hostCores, watchReplicas: true };
    this.#scheduler = new PipelineScheduler(graph, limits, this.#effects(), flow);
    this.#replicas = new ServedReplicas({
      scheduler: this.#scheduler,
      runsElsewhere: (stage, variant) =>
        spec.stages[stage]?.variants.some((of) => of.id === variant && runsElsewhere(of)) === true,
      turn: (step) => this.#turn(step),
      lost: ({ stage, replicaId }) => this.#events.replicaLost.tell({ stageId: this.#stages.idOf(stage), replicaId }),
    });
    this.#batches = this.#replicaBatches();
    if (spec.feedback !== undefined) {
      this.accuracy = new AccuracyWatch(spec);
      this.#variants = this.#servedVariants();
    }
    this.#canaryFeedback = new CanaryFeedback(this.accuracy, this.agreement);
    this.#requests = this.#submittedRequests(flow);
    this.#parts = new SourceParts(spec, {
      clock,
      bytes: this.#bytes,
      turn: (step) => this.#turn(step),
      submit: (inputs, options) => this.submit(inputs, options),
    });
    this.drained = new Promise((resolve) => {
      this.#markDrained = resolve;
    });
  }

  get spec(): PipelineSpec {
    return this.#spec;
  }

  /** Sets the SLO latency, which is also the time-out of later requests that state none. */
  setSloLatency(latencyMs: number): void {
    this.#spec = { ...this.#spec, slo: { ...this.#spec.slo, latencyMs } };
    this.statistics.sloLatencyMs = latencyMs;
  }

  /** Accepted requests keep their deadlines and places in queues. */
  setAdmission(admission: PipelineSpec['admission']): void {
    this.#spec = { ...this.#spec, admission };
    this.#bytes.setMost(admission.maxInFlightBytes);
    this.#outputs.setMost(admission.maxInFlightBytes);
    this.#turn((nowMs) => this.#scheduler.setLimits(limitsOf(admission), nowMs));
  }

  setHostCores(cores: number): void {
    this.#turn((nowMs) => this.#scheduler.setHostCores(cores, nowMs));
  }

  get nowMs(): number {
    return this.#clock.nowMs();
  }

  get statistics(): RequestStatistics {
    return this.#requests.statistics;
  }

  /** Resets the counts, so that warm-up requests do not count as load. */
  countAnew(): void {
    this.#requests.countAnew();
    this.#stages.countAnew();
    this.takeEdgeCounts();
    this.tracer?.clear();
  }

  get inFlight(): number {
    return this.#scheduler.inFlight;
  }

  get inFlightBytes(): number {
    return this.#bytes.sum;
  }

  /** True while the runner accepts requests and every stage that the plan does not omit has a replica. */
  get ready(): boolean {
    if (this.#draining) return false;
    return this.#stages.policies.every(({ isOmitted }, stage) => this.#replicas.stages.has(stage) || isOmitted);
  }

  /** Serves a request and resolves with its outcome; never rejects. Takes ownership of the tensors. */
  submit(inputs: TensorMap, options: SubmitOptions = {}): Promise<PipelineOutcome> {
    return this.#requests.submit(inputs, options);
  }

  /**
   * Serves each item of a client batch as a request. Drops all items at once if the entry stages or the memory refuse
   * them. If an item is dropped, so are the others, because the batch can no longer be answered. Answers count as bytes
   * in flight until the last one. Never rejects.
   */
  submitBatch(items: readonly TensorMap[], options: SubmitOptions = {}): Promise<readonly PipelineOutcome[]> {
    return this.#requests.submitBatch(items, options);
  }

  /** Counts a request, or the items of a client batch, that was refused before the pipeline served. */
  refusedEarly(reason: DropReason, request: EarlyRequest = {}): void {
    this.#requests.refusedEarly(reason, request);
  }

  /** Outcomes of a client batch that `submitBatch` would drop because of its size; undefined if it may enter. */
  refuseBatch(items: number, options: SubmitOptions = {}): readonly PipelineOutcome[] | undefined {
    return this.#requests.refuseBatch(items, options);
  }

  /**
   * Takes the part of one source. Its request begins when all parts are there, or when the wait ends, and its time-out
   * starts then. Otherwise as `submit`.
   */
  submitPart(place: PartPlace, inputs: TensorMap, options: SubmitOptions = {}): Promise<PipelineOutcome> {
    return new Promise((resolve) => {
      this.#turn((nowMs) => {
        if (this.#draining) resolve(this.#requests.dropOutcome('draining'));
        else if (!this.#turns.guard(() => this.#parts.offer(place, { inputs, options, resolve }, nowMs)))
          resolve({ kind: 'failed', failure: internalError() });
      });
    });
  }

  /** Counts of parts by source, in the order of `spec.sources`, and requests that wait for parts. */
  get partCounts(): { readonly sources: readonly SourceCounts[]; readonly waiting: number } {
    return this.#parts.counts;
  }

  addReplica(stageId: StageId, replica: ReadyReplica): void {
    this.#replicas.add(this.#stages.indexOf(stageId), replica);
  }

  drainReplica(_stageId: StageId, replicaId: ReplicaId): Promise<void> {
    return this.#replicas.drain(replicaId);
  }

  isSkipped(stageId: StageId): boolean {
    return this.#scheduler.omits(this.#stages.indexOf(stageId));
  }

  setBatching(stageId: StageId, batching: StageBatching): void {
    this.setPolicy(stageId, { ...this.#stages.policy(this.#stages.indexOf(stageId)), ...batching });
  }

  setPolicy(stageId: StageId, policy: BatchPolicy): void {
    const stage = this.#stages.indexOf(stageId);
    this.#stages.setPolicy(stage, policy);
    this.#turn((nowMs) => this.#scheduler.setPolicy(stage, policy, nowMs));
  }

  openCanary(stageId: StageId, policy: Omit<CanaryPolicy, 'remainingMs'> & Partial<CanaryPolicy>): void {
    const stage = this.#stages.indexOf(stageId);
    const { remainingMs } = this.#stages.policy(stage);
    this.#canaryFeedback.begin();
    this.#turn(() => this.#scheduler.openCanary(stage, { remainingMs, ...policy }));
  }

  shareCanary(_stageId: StageId, fraction: number): void {
    this.#turn(() => this.#scheduler.setCanaryFraction(fraction));
  }

  canaryCounts(stageId: StageId): CanaryCounts {
    const { canaryCounts } = this.#scheduler;
    invariant(canaryCounts !== undefined, `stage ${stageId} has a canary`);
    const stage = this.#stages.indexOf(stageId);
    const isNew = (variantId: VariantId) => this.#replicas.isInCanary(stage, variantId);
    return { ...canaryCounts, ...this.#canaryFeedback.scores(stageId, isNew) };
  }

  closeCanary(_stageId: StageId): void {
    this.#turn((nowMs) => this.#scheduler.closeCanary(nowMs));
  }

  onReplicaLost(listener: (stageId: StageId, replicaId: ReplicaId) => void): void {
    this.#events.replicaLost.add(({ stageId, replicaId }) => listener(stageId, replicaId));
  }

  onReplicaLate(listener: (stageId: StageId, replicaId: ReplicaId, isLate: boolean) => void): void {
    this.#events.replicaLate.add(({ stageId, replicaId, isLate }) => listener(stageId, replicaId, isLate));
  }

  onReplicaUnhealthy(listener: (stageId: StageId, replicaId: ReplicaId, issue: HealthIssue) => void): void {
    this.#events.replicaUnhealthy.add(({ stageId, replicaId, issue }) => listener(stageId, replicaId, issue));
  }

  onInputQuarantined(listener: (input: QuarantinedInput) => void): void {
    this.#events.inputQuarantined.add(listener);
  }

  /** Quarantined inputs with their remaining time (ms), the least recently used first. */
  quarantinedInputs(): readonly (QuarantinedInput & { readonly leftMs: number })[] {
    const nowMs = this.nowMs;
    return this.#scheduler
      .quarantined(nowMs)
      .map(({ stage, key, untilMs }) => ({ ...inputOfKey(this.#stages.idOf(stage), key), leftMs: untilMs - nowMs }));
  }

  clearQuarantine(stageId: StageId): number {
    return this.#scheduler.clearQuarantine(this.#stages.indexOf(stageId), this.nowMs);
  }

  /** Items that came to each stage since the start, in the order of the stages. */
  stageArrivals(): readonly number[] {
    return this.#stages.arrivals(this.#scheduler);
  }

  onRequestEnd(listener: (end: RequestEnd) => void): void {
    this.#events.requestEnded.add(listener);
  }

  onBatchEnd(listener: (end: BatchEnd) => void): void {
    this.#events.batchEnded.add(listener);
  }

  /** Counts since the start, in the order of `spec.edges`. */
  edgeCounts(): readonly EdgeCount[] {
    return this.#scheduler.edgeCounts.all;
  }

  /** Counts since the previous call, or since `countAnew`; after those of the edges, those of several sources. */
  takeEdgeCounts(): readonly EdgeCount[] {
    return this.#scheduler.edgeCounts.take();
  }

  stageCounts(): Readonly<Record<StageId, StageCounts>> {
    return this.#stages.counts(this.#scheduler);
  }

  breakers(): readonly ReplicaBreaker[] {
    const nowMs = this.nowMs;
    return this.#replicas.all.map((served) => ({
      stageId: this.#stages.idOf(served.stage),
      variantId: served.variantId,
      state: served.breaker(nowMs),
      isDraining: served.inPolicies?.draining ?? false,
    }));
  }

  /** Drops later arrivals as `draining`; running requests finish (see `drained`). */
  beginDraining(): void {
    this.#turn(() => {
      this.#draining = true;
      this.#parts.drain();
      this.#scheduler.beginDraining();
    });
  }

  #effects(): ServingEffects<TensorMap, PendingRequest, AppError> {
    const idOf = (stage: number) => this.#stages.idOf(stage);
    return {
      startBatch: (replica, nowMs) => this.#batches.start(replica, nowMs),
      complete: (request, nowMs) => this.#requests.complete(request, nowMs),
      fail: (request, failure, nowMs) => this.#requests.fail(request, failure, nowMs),
      drop: (request, reason, nowMs) => {
        if (request.droppedAtStage !== undefined) this.#stages.statistics(request.droppedAtStage).dropped(reason);
        this.#requests.drop(request, reason, nowMs);
      },
      wakeAt: (atMs) => {
        this.#cancelAlarm();
        this.#cancelAlarm = this.#clock.ringAt(atMs, () => this.#turn((nowMs) => this.#scheduler.advance(nowMs)));
      },
      unhealthy: ({ replicaId, stage }, issue) =>
        this.#events.replicaUnhealthy.tell({ stageId: idOf(stage), replicaId, issue }),
      runsLate: ({ replicaId, stage }, isLate) =>
        this.#events.replicaLate.tell({ stageId: idOf(stage), replicaId, isLate }),
      hungFailure: (stage) => hungBatch(idOf(stage)),
      quarantineFailure: (stage) => quarantinedInput(idOf(stage)),
      inputKey,
      inputQuarantined: (stage, key) => this.#events.inputQuarantined.tell(inputOfKey(idOf(stage), key)),
      tooManyItems: ({ from }, items, most) => tooManyItems(idOf(from), items, most),
      walkLater: () => setImmediate(() => this.#turn((nowMs) => this.#batches.walkOn(nowMs))),
      drained: ({ replicaId }) => this.#replicas.drained(replicaId),
    };
  }

  #replicaBatches(): ReplicaBatches {
    return new ReplicaBatches({
      scheduler: this.#scheduler,
      turns: this.#turns,
      owned: this.#owned,
      turn: (step) => this.#turn(step),
      place: ({ replicaId, stage }) => ({
        served: this.#replicas.named(replicaId),
        stageId: this.#stages.idOf(stage),
      }),
      lose: (served) => this.#replicas.lose(served),
      lookAgain: (nowMs) => this.#lookAgain(nowMs),
      answered: ({ request: { context }, stage, payload: input }, variantId, output) => {
        if (context.variants !== undefined) this.#variants?.note(context.variants, stage, variantId);
        if (this.#shadows === undefined) return;
        const isNew = () => this.#replicas.isInCanary(stage, variantId);
        this.#shadows.offer(this.#stages.idOf(stage), { variantId, isNew, input, output });
      },
      hold: (request, output, nowMs) => this.#requests.holdOutput(request, output, nowMs),
      ended: (batch) => {
        this.#stages.statistics(this.#stages.indexOf(batch.stageId)).finished(batch);
        this.#events.batchEnded.tell(batch);
      },
    });
  }

  #servedVariants(): ServedVariants {
    const isOmitted = (stage: number) => this.#scheduler.omits(stage);
    return new ServedVariants(
      this.#spec,
      (stage) => (isOmitted(stage) ? OMITTED : this.#replicas.variants[stage]),
      (stage) => (isOmitted(stage) ? {} : this.#stages.policy(stage)),
    );
  }

  #submittedRequests(flow: PayloadFlow): SubmittedRequests {
    return new SubmittedRequests({
      clock: this.#clock,
      scheduler: this.#scheduler,
      flow,
      turns: this.#turns,
      bytes: this.#bytes,
      outputs: this.#outputs,
      owned: this.#owned,
      variants: this.#variants,
      tracer: this.tracer,
      spec: () => this.#spec,
      turn: (step) => this.#turn(step),
      lookAgain: (nowMs) => this.#lookAgain(nowMs),
      makeRoom: (bytes, client) => this.#parts.makeRoom(bytes, client),
      ended: (end) => this.#events.requestEnded.tell(end),
    });
  }

  /** Makes every stage check its queue after a failed turn. */
  #lookAgain(nowMs: number): void {
    for (const [stage, policy] of this.#stages.policies.entries()) this.#scheduler.setPolicy(stage, policy, nowMs);
  }

  #turn(step: (nowMs: number) => void): void {
    this.#turns.take(() => {
      step(this.#clock.nowMs());
      if (!this.#draining || this.#scheduler.inFlight > 0) return;
      this.#cancelAlarm();
      this.#markDrained();
    });
  }
}

function limitsOf(admission: PipelineSpec['admission']): Omit<SchedulerLimits, 'hostCores' | 'watchReplicas'> {
  const { maxQueueLength, maxWaitFraction, answerMarginMs, priorities = defaultPriorities } = admission;
  return { maxQueueLength, maxWaitFraction, answerMarginMs, dropLate: true, priorityShares: priorities.shares };
}

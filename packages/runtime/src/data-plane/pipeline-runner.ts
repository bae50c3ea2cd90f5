/**
 * One served pipeline: supplies core's request policies with real time, replicas and tensors. `PipelineScheduler` makes
 * all decisions except the bound on bytes in flight.
 *
 * Every event (request, answer of a replica, alarm, change of replicas) is one turn of the policies; turns never nest.
 * An exception in a turn is a defect: it is reported, the requests of the turn fail, and serving continues.
 */
import {
  type AlarmClock,
  AppError,
  type CanaryCounts,
  type DropReason,
  defaultPriorities,
  type EdgeCount,
  type HealthIssue,
  invariant,
  OMITTED,
  type PipelineSpec,
  type PrioritySpec,
  priorityLevel,
  type ReplicaId,
  runsElsewhere,
  type StageId,
  type TensorMap,
  type VariantId,
} from '@equipoise/core/model';
import type { ReadyReplica, ReplicaPool, StageBatching } from '@equipoise/core/ports';
import {
  type Arrival,
  type BatchPolicy,
  type CanaryPolicy,
  PipelineScheduler,
  type SchedulerLimits,
  type ServingEffects,
  type ServingGraph,
  type SourceCounts,
  servingGraph,
  tooManyItems,
} from '@equipoise/core/serve';
import { AccuracyWatch, type ScoreSums } from '../accuracy/accuracy-watch.js';
import type { AgreementSums, AgreementWatch, ItemShadows } from '../accuracy/agreement-watch.js';
import { ServedVariants } from '../accuracy/served-variants.js';
import type { RequestTracer } from '../trace/request-tracer.js';
import type { TraceParent } from '../trace/trace-context.js';
import { monotonicClock } from './alarm-clock.js';
import { BytesInFlight, tensorBytes } from './bytes-in-flight.js';
import type { CancelSignal } from './cancellation.js';
import { inputDigest } from './payload-algebra.js';
import { PayloadFlow } from './payload-flow.js';
import {
  PendingBatch,
  PendingRequest,
  type PipelineOutcome,
  type ServedRequest,
  type SubmitOptions,
} from './pending-request.js';
import { type BatchEnd, ReplicaBatches } from './replica-batches.js';
import { type RequestEnd, requestEnd } from './request-end.js';
import { RequestStatistics } from './request-statistics.js';
import { type ReplicaBreaker, ServedReplicas } from './served-replicas.js';
import { type PartPlace, SourceParts } from './source-parts.js';
import { hungBatch, internalError, quarantinedInput } from './stage-failure.js';
import { type StageCounts, StageStatistics } from './stage-statistics.js';
import { Listeners, TurnQueue, warnOfDefect } from './turn-queue.js';

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

type EndingRequest = Pick<ServedRequest, 'context' | 'arrivedAtMs' | 'deadlineAtMs'>;

interface LostReplica {
  readonly stageId: StageId;
  readonly replicaId: ReplicaId;
}

interface UnhealthyReplica extends LostReplica {
  readonly issue: HealthIssue;
}

/** An input that hung a stage. `digest` is made by `inputDigest`. */
export interface QuarantinedInput {
  readonly stageId: StageId;
  readonly tenant?: string;
  readonly digest: string;
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
  #statistics: RequestStatistics;
  readonly #graph: ServingGraph;
  readonly #clock: AlarmClock;
  readonly #flow: PayloadFlow;
  readonly #scheduler: PipelineScheduler<TensorMap, PendingRequest, AppError>;
  readonly #turns: TurnQueue;
  readonly #batches: ReplicaBatches;
  #priorities: PrioritySpec;
  readonly #bytes: BytesInFlight;
  readonly #parts: SourceParts;
  readonly #stageIndex: ReadonlyMap<StageId, number>;
  readonly #policies: BatchPolicy[];
  readonly #stageStatistics: readonly StageStatistics[];
  readonly #replicas: ServedReplicas;
  readonly #variants: ServedVariants | undefined;
  readonly #lost: Listeners<LostReplica>;
  readonly #unhealthy: Listeners<UnhealthyReplica>;
  readonly #late: Listeners<LostReplica & { readonly isLate: boolean }>;
  readonly #quarantined: Listeners<QuarantinedInput>;
  readonly #ended: Listeners<RequestEnd>;
  readonly #batchEnded: Listeners<BatchEnd>;
  readonly #shadows: ItemShadows | undefined;
  #scoresBeforeCanary: ScoreSums | undefined;
  #agreementBeforeCanary: AgreementSums | undefined;
  #draining = false;
  #markDrained = () => {};
  #cancelAlarm = () => {};

  constructor(options: PipelineRunnerOptions) {
    const { spec, hostCores, clock = monotonicClock, onDefect = warnOfDefect, tracer, shadows } = options;
    this.#spec = spec;
    this.#turns = new TurnQueue(onDefect);
    this.#lost = new Listeners(this.#turns);
    this.#unhealthy = new Listeners(this.#turns);
    this.#late = new Listeners(this.#turns);
    this.#quarantined = new Listeners(this.#turns);
    this.#ended = new Listeners(this.#turns);
    this.#batchEnded = new Listeners(this.#turns);
    this.#clock = clock;
    this.#graph = servingGraph(spec);
    this.tracer = tracer;
    this.#shadows = shadows;
    this.agreement = shadows?.agreement;
    tracer?.setStages(this.#graph.stages.map(({ id }) => id));
    this.#flow = new PayloadFlow(this.#graph, spec.outputs);
    this.#statistics = new RequestStatistics(clock.nowMs(), spec.slo.latencyMs);
    this.#stageIndex = new Map(this.#graph.stages.map(({ id, index }) => [id, index]));
    this.#stageStatistics = this.#graph.stages.map(() => new StageStatistics());
    this.#policies = this.#graph.stages.map(() => ({ maxBatchSize: 1, maxBatchWaitMs: 0, remainingMs: 0 }));
    const { admission } = spec;
    this.#bytes = new BytesInFlight(admission.maxInFlightBytes);
    this.#priorities = prioritiesOf(admission);
    const limits = { ...limitsOf(admission), hostCores, watchReplicas: true };
    this.#scheduler = new PipelineScheduler(this.#graph, limits, this.#effects(), this.#flow);
    this.#replicas = new ServedReplicas({
      scheduler: this.#scheduler,
      runsElsewhere: (stage, variant) =>
        spec.stages[stage]?.variants.some((of) => of.id === variant && runsElsewhere(of)) === true,
      turn: (step) => this.#turn(step),
      lost: ({ stage, replicaId }) => this.#lost.tell({ stageId: this.#idOf(stage), replicaId }),
    });
    this.#batches = this.#replicaBatches();
    if (spec.feedback !== undefined) {
      this.accuracy = new AccuracyWatch(spec);
      this.#variants = new ServedVariants(
        spec,
        (stage) => (this.#policies[stage]?.isOmitted ? OMITTED : this.#replicas.variants[stage]),
        (stage) => (this.#policies[stage]?.isOmitted ? undefined : this.#policies[stage]?.threshold),
      );
    }
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
    this.#statistics.sloLatencyMs = latencyMs;
  }

  /** Accepted requests keep their deadlines and places in queues. */
  setAdmission(admission: PipelineSpec['admission']): void {
    this.#spec = { ...this.#spec, admission };
    this.#bytes.setMost(admission.maxInFlightBytes);
    this.#priorities = prioritiesOf(admission);
    this.#turn((nowMs) => this.#scheduler.setLimits(limitsOf(admission), nowMs));
  }

  setHostCores(cores: number): void {
    this.#turn((nowMs) => this.#scheduler.setHostCores(cores, nowMs));
  }

  get nowMs(): number {
    return this.#clock.nowMs();
  }

  get statistics(): RequestStatistics {
    return this.#statistics;
  }

  /** Resets the counts, so that warm-up requests do not count as load. */
  countAnew(): void {
    this.#statistics = new RequestStatistics(this.#clock.nowMs(), this.spec.slo.latencyMs);
    for (const statistics of this.#stageStatistics) statistics.countAnew();
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
    return this.#graph.stages.every(
      ({ index }) => this.#replicas.stages.has(index) || this.#policies[index]?.isOmitted,
    );
  }

  /** Serves a request and resolves with its outcome; never rejects. Takes ownership of the tensors. */
  submit(
    inputs: TensorMap,
    { timeoutMs = this.spec.slo.latencyMs, arrivedAtMs, priority, tenant, signal, traceParent }: SubmitOptions = {},
  ): Promise<PipelineOutcome> {
    invariant(timeoutMs > 0, 'the time-out of a request is positive');
    return new Promise((resolve) => {
      this.#turn((nowMs) => {
        const context = this.#pending(new PendingRequest(resolve, arrivedAtMs ?? nowMs, tenant), traceParent);
        const level = priorityLevel(this.#priorities, priority);
        const deadlineAtMs = context.arrivedAtMs + timeoutMs;
        const arrival = { context, arrivedAtMs: nowMs, deadlineAtMs, level, trace: context.traced?.trace };
        if (!this.#turns.guard(() => this.#arrive(arrival, inputs, signal))) this.#refuse(context, nowMs);
      });
    });
  }

  /**
   * Serves each item of a client batch as a request. Drops all items at once if the entry stages or the memory refuse
   * them. If an item is dropped, so are the others, because the batch can no longer be answered. Answers count as bytes
   * in flight until the last one. Never rejects.
   */
  async submitBatch(items: readonly TensorMap[], options: SubmitOptions = {}): Promise<readonly PipelineOutcome[]> {
    const { timeoutMs = this.spec.slo.latencyMs, arrivedAtMs = this.nowMs, priority, tenant, signal } = options;
    const batch = new PendingBatch();
    const contexts: PendingRequest[] = [];
    const ends = items.map(
      () =>
        new Promise<PipelineOutcome>((resolve) => {
          contexts.push(this.#pending(new PendingRequest(resolve, arrivedAtMs, tenant, batch), options.traceParent));
        }),
    );
    const cancel = () => this.#loseBatch(batch, 'cancelled');
    this.#turn((nowMs) => {
      const level = priorityLevel(this.#priorities, priority);
      const deadlineAtMs = arrivedAtMs + timeoutMs;
      const arrivals = contexts.map((context) => ({
        context,
        arrivedAtMs: nowMs,
        deadlineAtMs,
        level,
        trace: context.traced?.trace,
      }));
      if (!this.#turns.guard(() => this.#arriveTogether(arrivals, items, signal)))
        for (const context of contexts) this.#refuse(context, nowMs);
    });
    signal?.addEventListener('abort', cancel, { once: true });
    const outcomes = await Promise.all(ends);
    signal?.removeEventListener('abort', cancel);
    this.#bytes.release(batch.bytes);
    return outcomes;
  }

  /**
   * Takes the part of one source. Its request begins when all parts are there, or when the wait ends, and its time-out
   * starts then. Otherwise as `submit`.
   */
  submitPart(place: PartPlace, inputs: TensorMap, options: SubmitOptions = {}): Promise<PipelineOutcome> {
    return new Promise((resolve) => {
      this.#turn((nowMs) => {
        if (this.#draining) resolve(this.#drop('draining'));
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
    this.#replicas.add(this.#indexOf(stageId), replica);
  }

  drainReplica(_stageId: StageId, replicaId: ReplicaId): Promise<void> {
    return this.#replicas.drain(replicaId);
  }

  setBatching(stageId: StageId, batching: StageBatching): void {
    this.setPolicy(stageId, { ...(this.#policies[this.#indexOf(stageId)] as BatchPolicy), ...batching });
  }

  setPolicy(stageId: StageId, policy: BatchPolicy): void {
    const stage = this.#indexOf(stageId);
    this.#policies[stage] = policy;
    this.#turn((nowMs) => this.#scheduler.setPolicy(stage, policy, nowMs));
  }

  openCanary(stageId: StageId, policy: Omit<CanaryPolicy, 'remainingMs'> & Partial<CanaryPolicy>): void {
    const stage = this.#indexOf(stageId);
    const { remainingMs } = this.#policies[stage] as BatchPolicy;
    this.#scoresBeforeCanary = this.accuracy?.sums;
    this.#agreementBeforeCanary = this.agreement?.sums;
    this.#turn(() => this.#scheduler.openCanary(stage, { remainingMs, ...policy }));
  }

  shareCanary(_stageId: StageId, fraction: number): void {
    this.#turn(() => this.#scheduler.setCanaryFraction(fraction));
  }

  canaryCounts(stageId: StageId): CanaryCounts {
    const { canaryCounts } = this.#scheduler;
    invariant(canaryCounts !== undefined, `stage ${stageId} has a canary`);
    const isNew = (variantId: VariantId) => this.#replicas.isInCanary(this.#indexOf(stageId), variantId);
    const accuracy = this.accuracy?.scoresSince(this.#scoresBeforeCanary ?? new Map(), stageId, isNew);
    const agreement = this.agreement?.scoresSince(this.#agreementBeforeCanary ?? new Map(), stageId, isNew);
    return { ...canaryCounts, ...(accuracy && { accuracy }), ...(agreement && { agreement }) };
  }

  closeCanary(_stageId: StageId): void {
    this.#turn((nowMs) => this.#scheduler.closeCanary(nowMs));
  }

  onReplicaLost(listener: (stageId: StageId, replicaId: ReplicaId) => void): void {
    this.#lost.add(({ stageId, replicaId }) => listener(stageId, replicaId));
  }

  onReplicaLate(listener: (stageId: StageId, replicaId: ReplicaId, isLate: boolean) => void): void {
    this.#late.add(({ stageId, replicaId, isLate }) => listener(stageId, replicaId, isLate));
  }

  onReplicaUnhealthy(listener: (stageId: StageId, replicaId: ReplicaId, issue: HealthIssue) => void): void {
    this.#unhealthy.add(({ stageId, replicaId, issue }) => listener(stageId, replicaId, issue));
  }

  onInputQuarantined(listener: (input: QuarantinedInput) => void): void {
    this.#quarantined.add(listener);
  }

  /** Quarantined inputs with their remaining time (ms), the least recently used first. */
  quarantinedInputs(): readonly (QuarantinedInput & { readonly leftMs: number })[] {
    const nowMs = this.nowMs;
    return this.#scheduler
      .quarantined(nowMs)
      .map(({ stage, key, untilMs }) => ({ ...this.#quarantinedInput(stage, key), leftMs: untilMs - nowMs }));
  }

  clearQuarantine(stageId: StageId): number {
    return this.#scheduler.clearQuarantine(this.#indexOf(stageId), this.nowMs);
  }

  /** Items that came to each stage since the start, in the order of the stages. */
  stageArrivals(): readonly number[] {
    return this.#graph.stages.map(({ index }) => this.#scheduler.arrivals(index));
  }

  onRequestEnd(listener: (end: RequestEnd) => void): void {
    this.#ended.add(listener);
  }

  onBatchEnd(listener: (end: BatchEnd) => void): void {
    this.#batchEnded.add(listener);
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
    return Object.fromEntries(
      this.#graph.stages.map(({ id, index }) => [
        id,
        (this.#stageStatistics[index] as StageStatistics).counts({
          queueLength: this.#scheduler.queueLength(index),
          retriedItems: this.#scheduler.retries(index),
          troubles: { ...this.#scheduler.issues(index) },
        }),
      ]),
    );
  }

  breakers(): readonly ReplicaBreaker[] {
    const nowMs = this.nowMs;
    return this.#replicas.all.map((served) => ({
      stageId: this.#idOf(served.stage),
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
    const flow = this.#flow;
    return {
      startBatch: (replica, nowMs) => this.#batches.start(replica, nowMs),
      complete: (request, nowMs) => this.#end(request, this.#withChoice(request, flow.outcome(request)), nowMs),
      fail: (request, failure, nowMs) => this.#end(request, { kind: 'failed', failure }, nowMs),
      drop: (request, reason, nowMs) => {
        if (request.droppedAtStage !== undefined) this.#stageStatistics[request.droppedAtStage]?.dropped(reason);
        this.#end(request, this.#drop(reason), nowMs);
      },
      wakeAt: (atMs) => {
        this.#cancelAlarm();
        this.#cancelAlarm = this.#clock.ringAt(atMs, () => this.#turn((nowMs) => this.#scheduler.advance(nowMs)));
      },
      unhealthy: ({ replicaId, stage }, issue) =>
        this.#unhealthy.tell({ stageId: this.#idOf(stage), replicaId, issue }),
      runsLate: ({ replicaId, stage }, isLate) => this.#late.tell({ stageId: this.#idOf(stage), replicaId, isLate }),
      hungFailure: (stage) => hungBatch(this.#idOf(stage)),
      quarantineFailure: (stage) => quarantinedInput(this.#idOf(stage)),
      inputKey: ({ request, payload }) => `${request.context.tenant} ${inputDigest(payload)}`,
      inputQuarantined: (stage, key) => this.#quarantined.tell(this.#quarantinedInput(stage, key)),
      tooManyItems: ({ from }, items, most) => tooManyItems(this.#idOf(from), items, most),
      drained: ({ replicaId }) => this.#replicas.drained(replicaId),
    };
  }

  #pending(request: PendingRequest, traceParent: TraceParent | undefined): PendingRequest {
    request.variants = this.#variants?.begin();
    request.traced = this.tracer?.begin(traceParent, request.arrivedAtMs);
    return request;
  }

  #withChoice({ context: { variants } }: ServedRequest, outcome: PipelineOutcome): PipelineOutcome {
    return variants === undefined ? outcome : { ...outcome, choice: this.#variants?.choiceOf(variants) };
  }

  #replicaBatches(): ReplicaBatches {
    return new ReplicaBatches({
      scheduler: this.#scheduler,
      turns: this.#turns,
      turn: (step) => this.#turn(step),
      place: ({ replicaId, stage }) => ({ served: this.#replicas.named(replicaId), stageId: this.#idOf(stage) }),
      lose: (served) => this.#replicas.lose(served),
      lookAgain: (nowMs) => this.#lookAgain(nowMs),
      answered: ({ request: { context }, stage, payload: input }, variantId, output) => {
        if (context.variants !== undefined) this.#variants?.note(context.variants, stage, variantId);
        if (this.#shadows === undefined) return;
        const isNew = () => this.#replicas.isInCanary(stage, variantId);
        this.#shadows.offer(this.#idOf(stage), { variantId, isNew, input, output });
      },
      ended: (batch) => {
        this.#stageStatistics[this.#indexOf(batch.stageId)]?.finished(batch);
        this.#batchEnded.tell(batch);
      },
    });
  }

  #arrive(arrival: Arrival<PendingRequest>, tensors: TensorMap, signal: CancelSignal | undefined): void {
    const { context, arrivedAtMs } = arrival;
    this.#statistics.arrived(arrivedAtMs);
    if (signal?.aborted) {
      this.#end(arrival, this.#drop('cancelled'), arrivedAtMs);
      return;
    }
    if (!this.#takesBytes(context, tensors)) {
      this.#end(arrival, this.#drop('memory-full'), arrivedAtMs);
      return;
    }
    context.source = this.#flow.source(tensors);
    const request = this.#scheduler.arrive(arrival, tensors);
    if (signal === undefined || request.ended) return;
    context.watch(signal, () => this.#turn((atMs) => this.#scheduler.cancel(request, atMs)));
  }

  #arriveTogether(
    arrivals: readonly Arrival<PendingRequest>[],
    items: readonly TensorMap[],
    signal: CancelSignal | undefined,
  ): void {
    const [first] = arrivals;
    const batch = first?.context.batch;
    if (first === undefined || batch === undefined) return;
    const nowMs = first.arrivedAtMs;
    for (const _ of arrivals) this.#statistics.arrived(nowMs);
    const sizes = items.map(tensorBytes);
    const bytes = sizes.reduce((sum, size) => sum + size, 0);
    const reason = signal?.aborted ? 'cancelled' : this.#scheduler.refusal(items.length, first);
    if (reason !== undefined || !this.#bytes.take(bytes)) {
      for (const arrival of arrivals) this.#end(arrival, this.#drop(reason ?? 'memory-full'), nowMs);
      return;
    }
    batch.bytes = bytes;
    for (const [item, { context }] of arrivals.entries()) {
      context.inFlightBytes = sizes[item] as number;
      context.source = this.#flow.source(items[item] as TensorMap);
    }
    batch.requests = this.#scheduler.arriveAll(arrivals, items);
  }

  #loseBatch(batch: PendingBatch, reason: DropReason): void {
    if (batch.isLost) return;
    batch.isLost = true;
    this.#turn((nowMs) => this.#scheduler.cancelAll(batch.requests, reason, nowMs));
  }

  /** Keeps the answer of an item for its batch, if the memory has a place for it. A dropped item drops the batch. */
  #endItem(batch: PendingBatch, context: PendingRequest, outcome: PipelineOutcome): PipelineOutcome {
    this.#releaseBytes(context);
    if (outcome.kind !== 'completed') {
      if (outcome.kind === 'dropped') this.#loseBatch(batch, outcome.reason);
      return outcome;
    }
    const bytes = tensorBytes(outcome.output);
    if (this.#bytes.take(bytes)) {
      batch.bytes += bytes;
      batch.answers += 1;
      return outcome;
    }
    this.#loseBatch(batch, 'memory-full');
    const fitsAlone = batch.bytes === 0 || batch.bytes + bytes <= this.#bytes.most;
    return fitsAlone ? this.#drop('memory-full') : { kind: 'failed', failure: largeAnswers(batch) };
  }

  #takesBytes(context: PendingRequest, tensors: TensorMap): boolean {
    const bytes = tensorBytes(tensors);
    if (!this.#bytes.take(bytes)) return false;
    context.inFlightBytes = bytes;
    return true;
  }

  #releaseBytes(context: PendingRequest): void {
    this.#bytes.release(context.inFlightBytes);
    if (context.batch !== undefined) context.batch.bytes -= context.inFlightBytes;
    context.inFlightBytes = 0;
  }

  #drop(reason: DropReason): PipelineOutcome {
    return { kind: 'dropped', reason, retryAfterMs: this.#scheduler.predictedWaitMs() };
  }

  /** Fails a request after a defect during its arrival. */
  #refuse(context: PendingRequest, nowMs: number): void {
    context.failure = internalError();
    context.end({ kind: 'failed', failure: context.failure });
    this.#releaseBytes(context);
    this.#lookAgain(nowMs);
  }

  /** Makes every stage check its queue after a failed turn. */
  #lookAgain(nowMs: number): void {
    for (const [stage, policy] of this.#policies.entries()) this.#scheduler.setPolicy(stage, policy, nowMs);
  }

  #end(request: EndingRequest, ended: PipelineOutcome, endedAtMs: number): void {
    const { context, arrivedAtMs, deadlineAtMs } = request;
    const { batch } = context;
    const outcome = batch === undefined ? ended : this.#endItem(batch, context, ended);
    // Comes first, so that no later defect leaves a client waiting.
    context.end(outcome);
    this.#releaseBytes(context);
    const end = requestEnd(outcome, {
      arrivedAtMs: context.arrivedAtMs,
      endedAtMs,
      leftMs: deadlineAtMs - arrivedAtMs,
    });
    this.#statistics.ended(end);
    this.#ended.tell(this.#traced(context, end));
  }

  #traced({ traced }: PendingRequest, end: RequestEnd): RequestEnd {
    if (traced === undefined || this.tracer === undefined) return end;
    const isSlow = end.latencyMs > this.spec.slo.latencyMs;
    return this.tracer.end(traced, end, isSlow) ? { keptTraceId: traced.traceId, ...end } : end;
  }

  #turn(step: (nowMs: number) => void): void {
    this.#turns.take(() => {
      step(this.#clock.nowMs());
      if (!this.#draining || this.#scheduler.inFlight > 0) return;
      this.#cancelAlarm();
      this.#markDrained();
    });
  }

  #quarantinedInput(stage: number, key: string): QuarantinedInput {
    const [tenant, digest] = key.split(' ') as [string, string];
    return { stageId: this.#idOf(stage), ...(tenant !== '' && { tenant }), digest };
  }

  #idOf(stage: number): StageId {
    return this.#graph.stages[stage]?.id as StageId;
  }

  #indexOf(stageId: StageId): number {
    const index = this.#stageIndex.get(stageId);
    invariant(index !== undefined, `the pipeline has no stage ${stageId}`);
    return index;
  }
}

function largeAnswers({ answers }: PendingBatch): AppError {
  const most = Math.max(1, answers);
  return new AppError(
    'BATCH_SIZE_INVALID',
    `With this answer the batch needs more memory than admission.maxInFlightBytes; the maximum batch size is ${most}.`,
    { details: { most } },
  );
}

function prioritiesOf({ priorities = defaultPriorities }: PipelineSpec['admission']): PrioritySpec {
  return priorities;
}

function limitsOf(admission: PipelineSpec['admission']): Omit<SchedulerLimits, 'hostCores' | 'watchReplicas'> {
  const { maxQueueLength, maxWaitFraction, answerMarginMs } = admission;
  const priorityShares = prioritiesOf(admission).shares;
  return { maxQueueLength, maxWaitFraction, answerMarginMs, dropLate: true, priorityShares };
}

/** Requests from their submission to their end, with their memory, statistics, traces and outcomes. */
import {
  type AlarmClock,
  AppError,
  type DropReason,
  defaultPriorities,
  invariant,
  type PipelineSpec,
  priorityLevel,
  type TensorMap,
} from '@equipoise/core/model';
import type { Arrival, PipelineScheduler } from '@equipoise/core/serve';
import type { ServedVariants } from '../accuracy/served-variants.js';
import type { RequestTracer } from '../trace/request-tracer.js';
import type { TraceParent } from '../trace/trace-context.js';
import { type BytesInFlight, tensorBytes } from './bytes-in-flight.js';
import type { CancelSignal } from './cancellation.js';
import type { OwnedTensors } from './owned-tensors.js';
import type { PayloadFlow } from './payload-flow.js';
import {
  PendingBatch,
  PendingRequest,
  type PipelineOutcome,
  type ServedRequest,
  type SubmitOptions,
} from './pending-request.js';
import { type RequestEnd, requestEnd } from './request-end.js';
import { RequestStatistics } from './request-statistics.js';
import { internalError } from './stage-failure.js';
import type { TurnQueue } from './turn-queue.js';

export interface SubmissionDeps {
  readonly clock: AlarmClock;
  readonly scheduler: PipelineScheduler<TensorMap, PendingRequest, AppError>;
  readonly flow: PayloadFlow;
  readonly turns: TurnQueue;
  readonly bytes: BytesInFlight;
  /** Outputs of stages of open requests. They count as `bytes`, too, so that no further requests enter. */
  readonly outputs: BytesInFlight;
  readonly owned: OwnedTensors;
  /** Undefined if the pipeline takes no feedback. */
  readonly variants: ServedVariants | undefined;
  /** Undefined if requests leave no trace. */
  readonly tracer: RequestTracer | undefined;
  /** The spec in force. */
  spec(): PipelineSpec;
  turn(step: (nowMs: number) => void): void;
  lookAgain(nowMs: number): void;
  /** Drops waiting parts of a client that holds far more memory. False if that does not make `bytes` fit. */
  makeRoom(bytes: number, client: object | undefined): boolean;
  ended(end: RequestEnd): void;
}

/** `count`: items of a client batch. Default: a single request that arrives now. */
export interface EarlyRequest {
  readonly arrivedAtMs?: number;
  readonly count?: number;
}

type EndingRequest = Pick<ServedRequest, 'context' | 'arrivedAtMs' | 'deadlineAtMs'>;

export class SubmittedRequests {
  readonly #deps: SubmissionDeps;
  #statistics: RequestStatistics;

  constructor(deps: SubmissionDeps) {
    this.#deps = deps;
    this.#statistics = this.#newStatistics();
  }

  get statistics(): RequestStatistics {
    return this.#statistics;
  }

  countAnew(): void {
    const before = this.#statistics;
    this.#statistics = this.#newStatistics();
    this.#statistics.keepRefused(before);
  }

  /** Counts a request that was refused before it could be submitted, because the pipeline did not serve yet. */
  refusedEarly(reason: DropReason, { arrivedAtMs, count = 1 }: EarlyRequest): void {
    const { turn, spec, ended } = this.#deps;
    turn((nowMs) => {
      this.#statistics.refusedEarly(reason, count);
      const times = { arrivedAtMs: arrivedAtMs ?? nowMs, endedAtMs: nowMs, leftMs: spec().slo.latencyMs };
      const end = requestEnd(this.dropOutcome(reason), times);
      for (let item = 0; item < count; item++) ended(end);
    });
  }

  /** Submits a request in a turn. Resolves with its outcome; never rejects. */
  submit(
    inputs: TensorMap,
    {
      timeoutMs = this.#deps.spec().slo.latencyMs,
      arrivedAtMs,
      priority,
      tenant,
      client,
      sentTogether,
      signal,
      traceParent,
    }: SubmitOptions = {},
  ): Promise<PipelineOutcome> {
    invariant(timeoutMs > 0, 'the time-out of a request is positive');
    return new Promise((resolve) => {
      this.#deps.turn((nowMs) => {
        const context = this.#pending(new PendingRequest(resolve, arrivedAtMs ?? nowMs, tenant), traceParent);
        const level = this.#level(priority);
        const deadlineAtMs = context.arrivedAtMs + timeoutMs;
        const times = { arrivedAtMs: nowMs, deadlineAtMs };
        const arrival = { context, ...times, level, client, sentTogether, trace: context.traced };
        if (!this.#deps.turns.guard(() => this.#arrive(arrival, inputs, signal))) this.#refuse(context, nowMs);
      });
    });
  }

  /**
   * Refuses a client batch that the entry stages cannot take, with a fraction of the work that its items would cost.
   * Undefined if they can; then the batch may be split.
   */
  refuseBatch(items: number, options: SubmitOptions = {}): readonly PipelineOutcome[] | undefined {
    const { clock, spec, scheduler, turn } = this.#deps;
    const { timeoutMs = spec().slo.latencyMs, arrivedAtMs = clock.nowMs(), priority, tenant, traceParent } = options;
    const refused: { outcome?: PipelineOutcome } = {};
    turn((nowMs) => {
      // One item stands for all.
      const context = new PendingRequest((outcome) => Object.assign(refused, { outcome }), arrivedAtMs, tenant);
      const deadlineAtMs = arrivedAtMs + timeoutMs;
      const arrival = { context, arrivedAtMs: nowMs, deadlineAtMs, level: this.#level(priority), isBatched: true };
      const reason = scheduler.refusal(items, arrival);
      if (reason === undefined) return;
      this.#pending(context, traceParent);
      for (let item = 0; item < items; item++) this.#statistics.arrived(nowMs);
      this.drop(arrival, reason, nowMs);
      const end = requestEnd(this.dropOutcome(reason), { arrivedAtMs, endedAtMs: nowMs, leftMs: deadlineAtMs - nowMs });
      for (let item = 1; item < items; item++) {
        this.#statistics.ended(end);
        this.#deps.ended(end);
      }
    });
    return refused.outcome && new Array<PipelineOutcome>(items).fill(refused.outcome);
  }

  /** Submits the items of a client batch in one turn. */
  async submitBatch(items: readonly TensorMap[], options: SubmitOptions = {}): Promise<readonly PipelineOutcome[]> {
    const { clock, bytes, turn, turns, spec } = this.#deps;
    const { timeoutMs = spec().slo.latencyMs, arrivedAtMs = clock.nowMs(), priority, tenant, signal } = options;
    const batch = new PendingBatch();
    const contexts: PendingRequest[] = [];
    const ends = items.map(
      () =>
        new Promise<PipelineOutcome>((resolve) => {
          contexts.push(this.#pending(new PendingRequest(resolve, arrivedAtMs, tenant, batch), options.traceParent));
        }),
    );
    const cancel = () => this.#loseBatch(batch, 'cancelled');
    turn((nowMs) => {
      const level = this.#level(priority);
      const deadlineAtMs = arrivedAtMs + timeoutMs;
      const arrivals = contexts.map((context) => ({
        context,
        arrivedAtMs: nowMs,
        deadlineAtMs,
        level,
        isBatched: true,
        trace: context.traced,
      }));
      if (!turns.guard(() => this.#arriveTogether(arrivals, items, options)))
        for (const context of contexts) this.#refuse(context, nowMs);
    });
    signal?.addEventListener('abort', cancel, { once: true });
    const outcomes = await Promise.all(ends);
    signal?.removeEventListener('abort', cancel);
    bytes.release(batch.bytes);
    return outcomes;
  }

  /** Counts an output of a stage until its request ends. If the memory has no place for it, drops the request. */
  holdOutput(request: ServedRequest, output: TensorMap, nowMs: number): void {
    const { bytes, outputs, scheduler } = this.#deps;
    const size = tensorBytes(output);
    if (outputs.take(size)) {
      bytes.add(size);
      request.context.outputBytes += size;
    } else scheduler.cancelAll([request], 'memory-full', nowMs);
  }

  complete(request: ServedRequest, nowMs: number): void {
    const { flow, variants } = this.#deps;
    const outcome = flow.outcome(request);
    const choices = request.context.variants;
    this.#end(request, choices === undefined ? outcome : { ...outcome, choice: variants?.choiceOf(choices) }, nowMs);
  }

  fail(request: ServedRequest, failure: AppError, nowMs: number): void {
    this.#end(request, { kind: 'failed', failure }, nowMs);
  }

  drop(request: EndingRequest, reason: DropReason, nowMs: number): void {
    this.#end(request, this.dropOutcome(reason), nowMs);
  }

  dropOutcome(reason: DropReason): PipelineOutcome {
    return { kind: 'dropped', reason, retryAfterMs: this.#deps.scheduler.predictedWaitMs() };
  }

  #newStatistics(): RequestStatistics {
    const { clock, spec } = this.#deps;
    return new RequestStatistics(clock.nowMs(), spec().slo.latencyMs);
  }

  #level(priority: number | undefined): number {
    return priorityLevel(this.#deps.spec().admission.priorities ?? defaultPriorities, priority);
  }

  #pending(request: PendingRequest, traceParent: TraceParent | undefined): PendingRequest {
    const { variants, tracer } = this.#deps;
    request.variants = variants?.begin();
    request.traced = tracer?.begin(traceParent, request.arrivedAtMs);
    return request;
  }

  #arrive(arrival: Arrival<PendingRequest>, tensors: TensorMap, signal: CancelSignal | undefined): void {
    const { scheduler, turn } = this.#deps;
    const { context, arrivedAtMs } = arrival;
    this.#statistics.arrived(arrivedAtMs);
    if (signal?.aborted) {
      this.drop(arrival, 'cancelled', arrivedAtMs);
      return;
    }
    const size = tensorBytes(tensors);
    if (!this.#takesBytes(size, arrival.client)) {
      this.drop(arrival, 'memory-full', arrivedAtMs);
      return;
    }
    this.#hold(context, tensors, size);
    const request = scheduler.arrive(arrival, tensors);
    if (signal === undefined || request.ended) return;
    context.watch(signal, () => turn((atMs) => scheduler.cancel(request, atMs)));
  }

  #arriveTogether(
    arrivals: readonly Arrival<PendingRequest>[],
    items: readonly TensorMap[],
    { signal, client }: SubmitOptions,
  ): void {
    const { scheduler } = this.#deps;
    const [first] = arrivals;
    const batch = first?.context.batch;
    if (first === undefined || batch === undefined) return;
    const nowMs = first.arrivedAtMs;
    for (const _ of arrivals) this.#statistics.arrived(nowMs);
    const sizes = items.map(tensorBytes);
    const sum = sizes.reduce((before, size) => before + size, 0);
    const reason = signal?.aborted ? 'cancelled' : scheduler.refusal(items.length, first);
    if (reason !== undefined || !this.#takesBytes(sum, client)) {
      for (const arrival of arrivals) this.drop(arrival, reason ?? 'memory-full', nowMs);
      return;
    }
    batch.bytes = sum;
    for (const [item, { context }] of arrivals.entries()) {
      this.#hold(context, items[item] as TensorMap, sizes[item] as number);
    }
    batch.requests = scheduler.arriveAll(arrivals, items);
  }

  /** Fails a request after a defect during its arrival. */
  #refuse(context: PendingRequest, nowMs: number): void {
    context.failure = internalError();
    context.end({ kind: 'failed', failure: context.failure });
    this.#releaseBytes(context);
    this.#deps.lookAgain(nowMs);
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
    this.#deps.ended(this.#endTrace(context, end));
  }

  /** Keeps the answer of an item for its batch, if the memory has a place for it. A dropped item drops the batch. */
  #endItem(batch: PendingBatch, context: PendingRequest, outcome: PipelineOutcome): PipelineOutcome {
    const { bytes } = this.#deps;
    this.#releaseBytes(context);
    if (outcome.kind !== 'completed') {
      if (outcome.kind === 'dropped') this.#loseBatch(batch, outcome.reason);
      return outcome;
    }
    const size = tensorBytes(outcome.output);
    if (bytes.take(size)) {
      batch.bytes += size;
      batch.answers += 1;
      return outcome;
    }
    this.#loseBatch(batch, 'memory-full');
    const fitsAlone = batch.bytes === 0 || batch.bytes + size <= bytes.most;
    return fitsAlone ? this.dropOutcome('memory-full') : { kind: 'failed', failure: largeAnswers(batch) };
  }

  #loseBatch(batch: PendingBatch, reason: DropReason): void {
    if (batch.isLost) return;
    batch.isLost = true;
    const { scheduler, turn } = this.#deps;
    turn((nowMs) => scheduler.cancelAll(batch.requests, reason, nowMs));
  }

  #takesBytes(size: number, client: object | undefined): boolean {
    const { bytes, makeRoom } = this.#deps;
    return bytes.take(size) || (makeRoom(size, client) && bytes.take(size));
  }

  #hold(context: PendingRequest, inputs: TensorMap, bytes: number): void {
    const { flow, owned } = this.#deps;
    context.inFlightBytes = bytes;
    context.source = flow.source(inputs);
    // Tensors that edges pass on may be in several payloads.
    if (Object.keys(context.source).length === 0) owned.note([inputs]);
  }

  #releaseBytes(context: PendingRequest): void {
    const { bytes, outputs } = this.#deps;
    bytes.release(context.inFlightBytes + context.outputBytes);
    outputs.release(context.outputBytes);
    context.outputBytes = 0;
    if (context.batch !== undefined) context.batch.bytes -= context.inFlightBytes;
    context.inFlightBytes = 0;
  }

  #endTrace({ traced }: PendingRequest, end: RequestEnd): RequestEnd {
    const { tracer, spec } = this.#deps;
    if (traced === undefined || tracer === undefined) return end;
    const isSlow = end.latencyMs > spec().slo.latencyMs;
    return tracer.end(traced, end, isSlow) ? { keptTraceId: traced.traceId, ...end } : end;
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

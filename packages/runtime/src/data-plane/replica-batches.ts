/**
 * Batches in the hands of replicas: their tensors are handed over, what comes back is told and handed on to the policies. A batch whose
 * replica is lost goes back to them as a whole; a defect on the way fails its requests and frees its replica, or gives that up too.
 */
import type { AppError, StageId, TensorMap, VariantId } from '@equipoise/core/model';
import type { ItemResult, ModelRunner } from '@equipoise/core/ports';
import type { PipelineScheduler } from '@equipoise/core/serve';
import { type BatchAnswer, runBatch } from './batch-run.js';
import { internalError } from './internal-error.js';
import { copyTensors } from './payload-algebra.js';
import type { PendingRequest, RequestTensors } from './pending-request.js';
import type { PolicyItem, PolicyReplica, ServedReplica } from './served-replica.js';
import type { TurnQueue } from './turn-queue.js';

/** A batch whose answer has come; items that were not handed over because their request had failed are left out. */
export interface BatchEnd {
  readonly stageId: StageId;
  readonly variantId: VariantId;
  readonly size: number;
  readonly failedItems: number;
  /** Time inside the replica; 0 where the batch failed as a whole. */
  readonly serviceMs: number;
  /** Time from hand-over to answer. */
  readonly busyMs: number;
  /** What each item waited in the queue of the stage. */
  readonly waitsMs: readonly number[];
}

/** What surrounds the batches in their runner. */
export interface BatchSurroundings {
  readonly scheduler: PipelineScheduler<RequestTensors, PendingRequest, AppError>;
  readonly turns: TurnQueue;
  /** Takes a turn on the policies. */
  turn(step: (nowMs: number) => void): void;
  /** The replica of this name and the stage that it serves. */
  place(replica: PolicyReplica): { readonly served: ServedReplica; readonly stageId: StageId };
  /** Takes a lost replica out of service. */
  lose(served: ServedReplica): void;
  /** Makes every stage look at its queue, which a broken turn may not have come to. */
  lookAgain(nowMs: number): void;
  ended(batch: BatchEnd): void;
}

/** A batch in a replica; `ran` are the items that were handed over, in the order of the batch. */
interface RunningBatch {
  readonly served: ServedReplica;
  readonly stageId: StageId;
  readonly replica: PolicyReplica;
  readonly ran: readonly PolicyItem[];
  /** All of it, also the items that were not handed over. */
  readonly batch: readonly PolicyItem[];
  readonly startedAtMs: number;
}

const nothing: RequestTensors = { request: undefined, tensors: {} };

/** Starts batches and brings their answers back to the policies. */
export class ReplicaBatches {
  readonly #around: BatchSurroundings;

  constructor(around: BatchSurroundings) {
    this.#around = around;
  }

  /** Hands `replica.batch` over; its end is a turn of its own. */
  start(replica: PolicyReplica, startedAtMs: number): void {
    const { turns, turn, place } = this.#around;
    const { served, stageId } = place(replica);
    const batch = [...replica.batch];
    const ran = batch.filter(({ request }) => request.context.failure === undefined);
    const running = { served, stageId, replica, ran, batch, startedAtMs };
    void runBatch(
      stageId,
      served.runner,
      ran.map((item) => this.#handedOver(item, served.runner)),
    ).then((answer) =>
      turn((nowMs) => {
        if (!turns.guard(() => this.#finish(running, answer, nowMs))) this.#giveUp(running, nowMs);
      }),
    );
  }

  /** The tensors for a replica; a copy where it would take them away and they may be needed once more. */
  #handedOver(item: PolicyItem, { keepsTensors = false }: ModelRunner): TensorMap {
    const { tensors } = item.payload;
    return keepsTensors || !this.#around.scheduler.mayRetry(item) ? tensors : copyTensors(tensors);
  }

  #finish(running: RunningBatch, answer: BatchAnswer, nowMs: number): void {
    const { scheduler, lose } = this.#around;
    const { served, replica, batch } = running;
    // A batch that hung has been taken from its replica, which will not get another.
    if (!replica.busy) return;
    this.#tell(running, answer, nowMs);
    if (answer.lost === undefined) this.#handOn(running, answer, nowMs);
    else scheduler.loseReplica(replica, answer.lost, nowMs);
    for (const { request } of batch) {
      if (request.context.failure !== undefined) scheduler.failRequest(request, request.context.failure, nowMs);
    }
    if (answer.lost !== undefined) lose(served);
  }

  #tell({ served, stageId, ran, startedAtMs }: RunningBatch, { items, serviceMs }: BatchAnswer, nowMs: number): void {
    if (items.length === 0) return;
    this.#around.ended({
      stageId,
      variantId: served.variantId,
      size: items.length,
      serviceMs,
      busyMs: nowMs - startedAtMs,
      failedItems: items.filter(({ kind }) => kind === 'failed').length,
      waitsMs: ran.map(({ enqueuedAtMs }) => startedAtMs - enqueuedAtMs),
    });
  }

  #handOn({ replica, ran, batch }: RunningBatch, answer: BatchAnswer, nowMs: number): void {
    const { scheduler } = this.#around;
    const outputs = new Map<PolicyItem, RequestTensors>();
    if (answer.items.length > 0 && answer.items.every(isStageFault)) scheduler.noteFailedBatch(replica);
    for (const [index, result] of answer.items.entries()) {
      const item = ran[index] as PolicyItem;
      if (result.kind === 'failed') scheduler.failItem(item, result.error, nowMs);
      else outputs.set(item, { request: item.request.context, tensors: result.output });
    }
    scheduler.batchDone(
      replica,
      batch.map((item) => outputs.get(item) ?? nothing),
      nowMs,
    );
  }

  /** After a defect in the middle of a batch's end: its requests fail, its replica is free again or, if that fails too, lost. */
  #giveUp({ served, replica, batch }: RunningBatch, nowMs: number): void {
    const { scheduler, turns, lookAgain, lose } = this.#around;
    const failure = internalError();
    for (const { request } of batch) turns.guard(() => scheduler.failRequest(request, failure, nowMs));
    const freed = turns.guard(() => {
      const holdsBatch = replica.busy && replica.batch[0] === batch[0];
      if (holdsBatch)
        scheduler.batchDone(
          replica,
          batch.map(() => nothing),
          nowMs,
        );
      lookAgain(nowMs);
    });
    if (!freed) lose(served);
  }
}

/** An input that the stage refuses is the client's fault. */
function isStageFault(result: ItemResult): boolean {
  return result.kind === 'failed' && result.error.code !== 'INVALID_INPUT';
}

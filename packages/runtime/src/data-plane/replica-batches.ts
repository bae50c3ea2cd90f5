/**
 * Runs batches on replicas. If a replica is lost, its whole batch returns to the policies. A defect fails the requests
 * of its batch and frees the replica. A replica that cannot be freed leaves service.
 */
import {
  AppError,
  boundedName,
  type ReplicaId,
  type StageId,
  type TensorMap,
  tensorProblem,
  type VariantId,
} from '@equipoise/core/model';
import type { ItemResult, ModelRunner } from '@equipoise/core/ports';
import type { PipelineScheduler } from '@equipoise/core/serve';
import { batchIdsToSend } from '../trace/batch-ids.js';
import { traceHeaders } from '../trace/trace-context.js';
import type { OwnedTensors } from './owned-tensors.js';
import { stageFailed } from './payload-algebra.js';
import type { PendingRequest, ServedRequest } from './pending-request.js';
import type { PolicyItem, PolicyReplica, ServedReplica } from './served-replicas.js';
import { internalError, StageFailure } from './stage-failure.js';
import type { TurnQueue } from './turn-queue.js';

/** Finished batch, without items of requests that had failed before. */
export interface BatchEnd {
  readonly stageId: StageId;
  readonly variantId: VariantId;
  readonly replicaId: ReplicaId;
  readonly cpuCores: number;
  readonly size: number;
  readonly failedItems: number;
  /** Time inside the replica; 0 if the batch failed as a whole. */
  readonly serviceMs: number;
  /** Time from sending the batch to its answer. */
  readonly busyMs: number;
  readonly waitsMs: readonly number[];
}

export interface BatchDeps {
  readonly scheduler: PipelineScheduler<TensorMap, PendingRequest, AppError>;
  readonly turns: TurnQueue;
  readonly owned: OwnedTensors;
  turn(step: (nowMs: number) => void): void;
  place(replica: PolicyReplica): { readonly served: ServedReplica; readonly stageId: StageId };
  lose(served: ServedReplica): void;
  lookAgain(nowMs: number): void;
  answered(item: PolicyItem, variantId: VariantId, output: TensorMap): void;
  /** Called with the outputs of requests that go on. */
  hold(request: ServedRequest, output: TensorMap, nowMs: number): void;
  ended(batch: BatchEnd): void;
}

/** `ran` holds the sent items, in order. */
interface RunningBatch {
  readonly served: ServedReplica;
  readonly stageId: StageId;
  readonly replica: PolicyReplica;
  readonly ran: readonly PolicyItem[];
  readonly batch: readonly PolicyItem[];
  readonly startedAtMs: number;
}

const nothing: TensorMap = {};

export class ReplicaBatches {
  readonly #deps: BatchDeps;

  constructor(deps: BatchDeps) {
    this.#deps = deps;
  }

  start(replica: PolicyReplica, startedAtMs: number): void {
    const { turns, turn, place, owned } = this.#deps;
    const { served, stageId } = place(replica);
    const batch = [...replica.batch];
    const ran = batch.filter(({ request }) => request.context.failure === undefined);
    const running = { served, stageId, replica, ran, batch, startedAtMs };
    void runBatch(
      stageId,
      served.runner,
      ran.map(({ payload }) => owned.handOver(payload, served.runner)),
      served.runner.passesTraces ? headersOf(replica, ran) : undefined,
    ).then((answer) =>
      turn((nowMs) => {
        if (!turns.guard(() => this.#finish(running, answer, nowMs))) this.#giveUp(running, nowMs);
      }),
    );
  }

  /** Walks outputs on that waited. A defect fails the request of the output that met it. */
  walkOn(nowMs: number): void {
    const { scheduler, turns, lookAgain } = this.#deps;
    const walked: ServedRequest[] = [];
    const isSound = turns.guard(() => scheduler.walkOn(walked, nowMs));
    const last = walked.at(-1);
    if (!isSound && last !== undefined) last.context.failure ??= internalError();
    for (const request of walked) this.#failIfMarked(request, nowMs);
    if (!isSound) lookAgain(nowMs);
  }

  #finish(running: RunningBatch, answer: BatchAnswer, nowMs: number): void {
    const { scheduler, lose } = this.#deps;
    const { served, replica, batch } = running;
    // A hung batch is already removed from its replica.
    if (!replica.busy) return;
    if (replica.run !== undefined && answer.serviceMs > 0) replica.run.serviceMs = answer.serviceMs;
    this.#tell(running, answer, nowMs);
    const hasHung = isHung(answer.lost);
    if (answer.lost === undefined) this.#handOn(running, answer, nowMs);
    else if (hasHung) scheduler.loseHung(replica, nowMs);
    else scheduler.loseReplica(replica, answer.lost, nowMs, isUnsent(answer.lost) ? 'unsent' : 'lost');
    for (const { request } of batch) this.#failIfMarked(request, nowMs);
    if (answer.lost !== undefined && !hasHung) lose(served);
  }

  #tell({ served, stageId, ran, startedAtMs }: RunningBatch, { items, serviceMs }: BatchAnswer, nowMs: number): void {
    if (items.length === 0) return;
    this.#deps.ended({
      stageId,
      variantId: served.variantId,
      replicaId: served.replicaId,
      cpuCores: served.cpuCores,
      size: items.length,
      serviceMs,
      busyMs: nowMs - startedAtMs,
      failedItems: items.filter(({ kind }) => kind === 'failed').length,
      waitsMs: ran.map(({ enqueuedAtMs }) => startedAtMs - enqueuedAtMs),
    });
  }

  #handOn({ served, replica, ran, batch }: RunningBatch, answer: BatchAnswer, nowMs: number): void {
    const { scheduler, answered, hold, owned } = this.#deps;
    const outputs = new Map<PolicyItem, TensorMap>();
    const failures = new Map<PolicyItem, AppError>();
    for (const [index, result] of answer.items.entries()) {
      const item = ran[index] as PolicyItem;
      if (result.kind === 'failed') failures.set(item, result.error);
      else {
        answered(item, served.variantId, result.output);
        outputs.set(item, result.output);
      }
    }
    if (served.runner.givesTensors) owned.note([...outputs.values()]);
    if (answer.items.length > 0 && answer.items.every(isStageFault)) {
      scheduler.failBatch(replica, failures, answer.items.every(isErrorOfStage) ? 'failed' : 'unavailable', nowMs);
    } else for (const [item, failure] of failures) scheduler.failItem(item, failure, nowMs);
    scheduler.batchDone(
      replica,
      batch.map((item) => outputs.get(item) ?? nothing),
      nowMs,
      answer.cpuMs,
    );
    for (const [{ request, payload }, output] of outputs) {
      owned.free(payload);
      if (!request.ended) hold(request, output, nowMs);
    }
  }

  #failIfMarked(request: ServedRequest, nowMs: number): void {
    const { failure } = request.context;
    if (failure !== undefined) this.#deps.scheduler.failRequest(request, failure, nowMs);
  }

  #giveUp({ served, replica, batch }: RunningBatch, nowMs: number): void {
    const { scheduler, turns, lookAgain, lose } = this.#deps;
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

/** Trace context of a batch, if its requests are traced. */
function headersOf({ run }: PolicyReplica, ran: readonly PolicyItem[]): Readonly<Record<string, string>> | undefined {
  if (run === undefined) return undefined;
  const ids = batchIdsToSend(
    run,
    ran.flatMap(({ request }) => request.context.traced ?? []),
  );
  return ids && traceHeaders(ids);
}

/** True if the replica itself reported its batch as hung. */
function isHung(lost: AppError | undefined): boolean {
  return lost?.cause instanceof AppError && lost.cause.details['trouble'] === 'hung';
}

/** True if the replica did not get its batch. */
function isUnsent(lost: AppError): boolean {
  return lost.cause instanceof AppError && lost.cause.details['unsent'] === true;
}

/** Rejected inputs are the client's fault. */
function isStageFault(result: ItemResult): boolean {
  return result.kind === 'failed' && result.error.code !== 'INVALID_INPUT';
}

function isErrorOfStage(result: ItemResult): boolean {
  return result.kind === 'failed' && result.error.code === 'STAGE_FAILED';
}

/** `lost` is set if all items failed because the replica is gone. */
interface BatchAnswer {
  readonly items: readonly ItemResult[];
  readonly serviceMs: number;
  readonly cpuMs?: number | undefined;
  readonly lost: AppError | undefined;
}

/** Runs `batch` (possibly empty) on a replica; never rejects. */
async function runBatch(
  stage: string,
  runner: ModelRunner,
  batch: readonly TensorMap[],
  traceHeadersToPass: Readonly<Record<string, string>> | undefined,
): Promise<BatchAnswer> {
  if (batch.length === 0) return { items: [], serviceMs: 0, lost: undefined };
  try {
    const { items, serviceMs, cpuMs } = await runner.run(batch, traceHeadersToPass);
    if (items.length !== batch.length) {
      return allFailed(batch, stageFailed(stage, `it answered ${items.length} results to ${batch.length} items`));
    }
    return { items: items.map((item) => checked(stage, item)), serviceMs, cpuMs, lost: undefined };
  } catch (error) {
    return allFailed(batch, toldToClient(stage, error));
  }
}

function allFailed(batch: readonly TensorMap[], error: AppError): BatchAnswer {
  const lost = error.code === 'REPLICA_LOST' ? error : undefined;
  return { items: batch.map(() => ({ kind: 'failed', error })), serviceMs: 0, lost };
}

/** Only INVALID_INPUT messages are meant for clients. */
function toldToClient(stage: string, error: unknown): AppError {
  return error instanceof AppError && error.code === 'INVALID_INPUT' ? error : new StageFailure(stage, error);
}

function checked(stage: string, item: ItemResult): ItemResult {
  if (item.kind === 'failed') return { kind: 'failed', error: toldToClient(stage, item.error) };
  for (const [name, tensor] of Object.entries(item.output)) {
    const problem = tensorProblem(tensor);
    if (problem === undefined) continue;
    return {
      kind: 'failed',
      error: stageFailed(stage, `it gave ${boundedName(name)}, which is not a tensor: ${problem}`),
    };
  }
  return item;
}

/** Hands a batch to a replica and reads its answer. Whatever the replica does, the result is a validated value. */
import { AppError, boundedName, elementCount, type Tensor, type TensorMap } from '@equipoise/core/model';
import type { ItemResult, ModelRunner } from '@equipoise/core/ports';
import { stageFailed } from './payload-algebra.js';
import { StageFailure } from './stage-failure.js';

/** A result for each item; `lost` is set if all failed because the replica is gone. */
export interface BatchAnswer {
  readonly items: readonly ItemResult[];
  readonly serviceMs: number;
  readonly lost: AppError | undefined;
}

/** Runs `batch` (possibly empty) on a replica of the named stage; never rejects. */
export async function runBatch(stage: string, runner: ModelRunner, batch: readonly TensorMap[]): Promise<BatchAnswer> {
  if (batch.length === 0) return { items: [], serviceMs: 0, lost: undefined };
  try {
    const { items, serviceMs } = await runner.run(batch);
    if (items.length !== batch.length) {
      return allFailed(batch, stageFailed(stage, `it answered ${items.length} results to ${batch.length} items`));
    }
    return { items: items.map((item) => checked(stage, item)), serviceMs, lost: undefined };
  } catch (error) {
    return allFailed(batch, toldToClient(stage, error));
  }
}

function allFailed(batch: readonly TensorMap[], error: AppError): BatchAnswer {
  const lost = error.code === 'REPLICA_LOST' ? error : undefined;
  return { items: batch.map(() => ({ kind: 'failed', error })), serviceMs: 0, lost };
}

/** Only messages about an input are meant for the client. */
function toldToClient(stage: string, error: unknown): AppError {
  return error instanceof AppError && error.code === 'INVALID_INPUT' ? error : new StageFailure(stage, error);
}

function checked(stage: string, item: ItemResult): ItemResult {
  if (item.kind === 'failed') return { kind: 'failed', error: toldToClient(stage, item.error) };
  const odd = Object.entries(item.output).find(([, tensor]) => !isWhole(tensor));
  if (odd === undefined) return item;
  const problem = `it gave ${boundedName(odd[0])}, which is no tensor with a datatype, a shape and as many data as the shape holds`;
  return { kind: 'failed', error: stageFailed(stage, problem) };
}

function isWhole(tensor: Partial<Tensor> | undefined): boolean {
  const { datatype, shape, data } = tensor ?? {};
  if (datatype === undefined || data === undefined || !Array.isArray(shape)) return false;
  return shape.every((size) => Number.isSafeInteger(size) && size >= 0) && data.length === elementCount(shape);
}

/**
 * Batches as requests. `stack` groups items of equal names, types and shapes, and sends each group as one request with
 * a new leading dimension. `single` sends one request per item, all at once.
 */
import {
  AppError,
  boundedMessage,
  boundedName,
  type InferenceServerSpec,
  stackTensors,
  type TensorMap,
  unstackTensor,
} from '@equipoise/core/model';
import type { ItemResult } from '@equipoise/core/ports';

/** Settings of a batch. `isFatal` is true for failures of the server, not of items. */
export interface BatchRun {
  readonly batching: InferenceServerSpec['batching'];
  /** `together`: number of requests that are sent at once. */
  readonly infer: (inputs: TensorMap, together: number) => Promise<TensorMap>;
  readonly isFatal: (error: unknown) => boolean;
  /** Failure of an item that is not sent. */
  readonly refused: (item: TensorMap) => AppError | undefined;
}

/** Results in the order of items; rejects only with a fatal failure. */
export async function runItems(batch: readonly TensorMap[], run: BatchRun): Promise<readonly ItemResult[]> {
  const results: ItemResult[] = [];
  const sent: (readonly [number, TensorMap])[] = [];
  for (const [index, item] of batch.entries()) {
    const error = run.refused(item);
    if (error === undefined) sent.push([index, item]);
    else results[index] = { kind: 'failed', error };
  }
  const groups = run.batching === 'single' ? sent.map(([index]) => [index]) : stackable(sent);
  await Promise.all(
    groups.map(async (indices) => {
      const group = indices.map((index) => batch[index] as TensorMap);
      for (const [at, result] of (await runGroup(group, groups.length, run)).entries())
        results[indices[at] as number] = result;
    }),
  );
  return results;
}

async function runGroup(group: readonly TensorMap[], together: number, run: BatchRun): Promise<readonly ItemResult[]> {
  try {
    const outputs =
      run.batching === 'single'
        ? [await run.infer(group[0] as TensorMap, together)]
        : cutApart(await run.infer(putTogether(group), together), group.length);
    return outputs.map((output) => ({ kind: 'ok', output }));
  } catch (error) {
    if (run.isFatal(error)) throw error;
    if (!(error instanceof AppError)) return group.map(() => ({ kind: 'failed', error: defectOf(error) }));
    // A rejected item must not fail the others of its group.
    if (error.code === 'INVALID_INPUT' && group.length > 1) {
      return (await Promise.all(group.map((item) => runGroup([item], together, run)))).flat();
    }
    return group.map(() => ({ kind: 'failed', error }));
  }
}

/** Unexpected error of this client. It runs no request again, because the server may have got it. */
function defectOf(cause: unknown): AppError {
  const problem = boundedMessage(String(cause));
  return new AppError('INTERNAL_ERROR', `A request could not be written, or its answer not be read: ${problem}`, {
    cause,
  });
}

/** Indices of items, in stackable groups. */
function stackable(batch: readonly (readonly [number, TensorMap])[]): readonly (readonly number[])[] {
  const groups = new Map<string, number[]>();
  for (const [index, item] of batch) {
    const kind = JSON.stringify(Object.entries(item).map(([name, { datatype, shape }]) => [name, datatype, shape]));
    const group = groups.get(kind);
    if (group === undefined) groups.set(kind, [index]);
    else group.push(index);
  }
  return [...groups.values()];
}

function putTogether(group: readonly TensorMap[]): TensorMap {
  const names = Object.keys(group[0] ?? {});
  return Object.fromEntries(
    names.map((name) => [name, stackTensors(group.map((item) => item[name]).filter((tensor) => tensor !== undefined))]),
  );
}

function cutApart(outputs: TensorMap, count: number): readonly TensorMap[] {
  const rows = Object.entries(outputs).map(([name, tensor]) => {
    if (tensor.shape[0] === count) return [name, unstackTensor(tensor)] as const;
    throw new AppError(
      'STAGE_FAILED',
      `The output ${boundedName(name)} of ${count} stacked items has the shape [${tensor.shape.join(', ')}] where ${count} was expected in front; a model without a batch dimension needs batching: single.`,
    );
  });
  return Array.from({ length: count }, (_, index) =>
    Object.fromEntries(rows.map(([name, parts]) => [name, parts[index] as (typeof parts)[number]])),
  );
}

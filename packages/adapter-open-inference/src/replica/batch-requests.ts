/**
 * Batches as requests. `stack` groups items of equal names, types and shapes, and sends each group as one request with
 * a new leading dimension. `single` sends one request per item, all at once.
 */
import {
  AppError,
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
  readonly infer: (inputs: TensorMap) => Promise<TensorMap>;
  readonly isFatal: (error: unknown) => boolean;
}

/** Results in the order of items; rejects only with a fatal failure. */
export async function runItems(batch: readonly TensorMap[], run: BatchRun): Promise<readonly ItemResult[]> {
  const groups = run.batching === 'single' ? batch.map((_, index) => [index]) : stackable(batch);
  const results: ItemResult[] = [];
  await Promise.all(
    groups.map(async (indices) => {
      const group = indices.map((index) => batch[index] as TensorMap);
      for (const [at, result] of (await runGroup(group, run)).entries()) results[indices[at] as number] = result;
    }),
  );
  return results;
}

async function runGroup(group: readonly TensorMap[], run: BatchRun): Promise<readonly ItemResult[]> {
  try {
    const outputs =
      run.batching === 'single'
        ? [await run.infer(group[0] as TensorMap)]
        : cutApart(await run.infer(putTogether(group)), group.length);
    return outputs.map((output) => ({ kind: 'ok', output }));
  } catch (error) {
    if (!(error instanceof AppError) || run.isFatal(error)) throw error;
    // A rejected item must not fail the others of its group.
    if (error.code === 'INVALID_INPUT' && group.length > 1) {
      return (await Promise.all(group.map((item) => runGroup([item], run)))).flat();
    }
    return group.map(() => ({ kind: 'failed', error }));
  }
}

/** Indices of items, in stackable groups. */
function stackable(batch: readonly TensorMap[]): readonly (readonly number[])[] {
  const groups = new Map<string, number[]>();
  for (const [index, item] of batch.entries()) {
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

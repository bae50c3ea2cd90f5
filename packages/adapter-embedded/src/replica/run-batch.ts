/**
 * Runs one batch through a stage. If the stage rejects an input as invalid, items run one by one, so that only invalid
 * items fail. Other errors fail the batch; the scheduler may run its items alone. Service time is the time inside `run`.
 */
import type { TensorMap } from '@equipoise/core/model';
import type { LoadedStage } from '@equipoise/core/ports';
import { type ReplicaItem, replicaError } from './replica-protocol.js';
import { checkedResults } from './stage-results.js';

export interface BatchRun {
  readonly items: readonly ReplicaItem[];
  readonly serviceMs: number;
}

async function attempt(stage: LoadedStage, batch: readonly TensorMap[]): Promise<readonly ReplicaItem[]> {
  try {
    // A copy: a stage may take the items out of its list.
    const results = checkedResults(await stage.run([...batch]), batch.length);
    return results.map((output) => ({ kind: 'ok', output }));
  } catch (thrown) {
    const { code, message } = replicaError(thrown);
    const kind = code === 'INVALID_INPUT' ? 'invalid-input' : 'stage-failed';
    return batch.map(() => ({ kind, message }));
  }
}

/** Runs a batch of at least one item; never rejects. */
export async function runBatch(stage: LoadedStage, batch: readonly TensorMap[]): Promise<BatchRun> {
  const startedAtMs = performance.now();
  let items = await attempt(stage, batch);
  if (batch.length > 1 && items[0]?.kind === 'invalid-input') {
    const alone: ReplicaItem[] = [];
    for (const item of batch) alone.push(...(await attempt(stage, [item])));
    items = alone;
  }
  return { items, serviceMs: performance.now() - startedAtMs };
}

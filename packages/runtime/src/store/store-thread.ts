/** Entry of the store's thread: one call per message. */
import { parentPort, workerData } from 'node:worker_threads';
import { AppError } from '@equipoise/core/model';
import type { RpcReply } from '../worker-rpc.js';
import { SqlitePlanStore } from './sqlite-plan-store.js';
import type { StoreCall, StoreFailure } from './threaded-plan-store.js';

const path = workerData as string;
let store: SqlitePlanStore | undefined;

async function answer({ method, args }: StoreCall): Promise<unknown> {
  if (store === undefined && method === 'close') return undefined;
  if (store === undefined && method === 'open' && args[0] === true) {
    const replaced = SqlitePlanStore.replacingDamaged(path, Date.now());
    store = replaced.store;
    return replaced.aside;
  }
  // A call opens the store, so that a failure rejects the call and does not end the thread. The next call tries again.
  store ??= new SqlitePlanStore(path);
  return method === 'open' ? undefined : (store[method] as (...args: readonly unknown[]) => Promise<unknown>)(...args);
}

parentPort?.on('message', async (call: StoreCall) => {
  let reply: RpcReply<StoreFailure>;
  try {
    reply = { id: call.id, answer: await answer(call) };
  } catch (error) {
    const { code, message, details, retryable } =
      error instanceof AppError ? error : new AppError('STORE_FAILED', String(error));
    reply = { id: call.id, failure: { code, message, details, retryable } };
  }
  parentPort?.postMessage(reply);
});

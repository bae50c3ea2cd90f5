/**
 * The thread of one replica: imports the stage module, loads the variant, serves batches until it is told to close. It ends
 * from inside, when nothing in it is running, because ending a thread from outside while native code runs ends the process.
 */
import { parentPort, workerData } from 'node:worker_threads';
import { invariant, type LoadedStage, type TensorMap } from '@equipoise/core';
import { importStageModule } from '../stage-module/stage-module-loader.js';
import { postTensors } from './movable-tensors.js';
import { runBatch } from './run-batch.js';
import { type FromThread, type ThreadItem, type ThreadStart, type ToThread, threadError } from './thread-protocol.js';

/** Time that timers and sockets left open by a stage have to end by themselves. */
const patienceMs = 500;

invariant(parentPort !== null, 'a replica thread is started by its launcher');
const port = parentPort;
const say = (message: FromThread): void => port.postMessage(message);

function leave(): void {
  port.close();
  setTimeout(() => process.exit(0), patienceMs).unref();
}

async function load({ module, variant, resources }: ThreadStart): Promise<LoadedStage> {
  const { load: loadVariant } = await importStageModule(module);
  const stage = await loadVariant(variant, resources);
  if (typeof stage?.run === 'function') return stage;
  throw Object.assign(new Error('load must return an object with a function run'), { code: 'MODULE_INVALID' });
}

async function answer(stage: LoadedStage, batch: readonly TensorMap[]): Promise<void> {
  const { items, serviceMs } = await runBatch(stage, batch);
  const outputs = items.map((item) => (item.kind === 'ok' ? item.output : {}));
  postTensors(port, outputs, (moved) => ({
    kind: 'result',
    items: items.map(
      (item, index): ThreadItem => (item.kind === 'ok' ? { kind: 'ok', output: moved[index] ?? {} } : item),
    ),
    serviceMs,
  }));
}

async function close(stage: LoadedStage): Promise<void> {
  try {
    await stage.close?.();
    say({ kind: 'closed' });
  } catch (thrown) {
    say({ kind: 'closed', error: threadError(thrown) });
  }
  leave();
}

try {
  const stage = await load(workerData as ThreadStart);
  port.on('message', (message: ToThread) => {
    void (message.kind === 'run' ? answer(stage, message.batch) : close(stage));
  });
  say({ kind: 'ready' });
} catch (thrown) {
  say({ kind: 'load-failed', error: threadError(thrown) });
  leave();
}

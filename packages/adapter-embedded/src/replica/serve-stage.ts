/** JavaScript side of a replica: loads the variant and runs batches until `close`. */
import type { TensorMap } from '@equipoise/core/model';
import type { LoadedStage } from '@equipoise/core/ports';
import { importStageModule } from '../stage-module/stage-module-loader.js';
import type { CpuMeter } from './cpu-meter.js';
import { type FromReplica, type ReplicaStart, replicaError, type ToReplica } from './replica-protocol.js';
import { runBatch } from './run-batch.js';

export interface FarEnd {
  readonly meter: CpuMeter;
  say(message: FromReplica): void;
  leave(): void;
}

async function load({ module, variant, resources }: ReplicaStart): Promise<LoadedStage> {
  const { load: loadVariant } = await importStageModule(module);
  const stage = await loadVariant(variant, resources);
  if (typeof stage?.run === 'function') return stage;
  throw Object.assign(new Error('load must return an object with a function run'), { code: 'MODULE_INVALID' });
}

/** Messages that arrive during the load wait until it has ended. */
export class StageServer {
  readonly #far: FarEnd;
  #stage: Promise<LoadedStage | undefined> = Promise.resolve(undefined);
  #hasShare = false;

  constructor(far: FarEnd) {
    this.#far = far;
  }

  /** Handles a message; never throws. */
  receive(message: ToReplica): void {
    switch (message.kind) {
      case 'load':
        this.#hasShare = message.start.resources.cpuCores < 1;
        this.#stage = this.#load(message.start);
        return;
      case 'run':
        void this.#stage.then((stage) => stage && this.#answer(stage, message.batch));
        return;
      case 'close':
        void this.#stage.then((stage) => stage && this.#close(stage));
        return;
    }
  }

  async #load(start: ReplicaStart): Promise<LoadedStage | undefined> {
    try {
      const stage = await load(start);
      this.#far.say({ kind: 'ready' });
      return stage;
    } catch (thrown) {
      this.#far.say({ kind: 'load-failed', error: replicaError(thrown) });
      this.#far.leave();
      return undefined;
    }
  }

  async #answer(stage: LoadedStage, batch: readonly TensorMap[]): Promise<void> {
    const { meter, say } = this.#far;
    if (this.#hasShare) meter.batchStarted();
    const run = await runBatch(stage, batch);
    say({ kind: 'result', ...run, cpuMs: this.#hasShare ? meter.batchEnded() : undefined });
  }

  async #close(stage: LoadedStage): Promise<void> {
    try {
      await stage.close?.();
      this.#far.say({ kind: 'closed' });
    } catch (thrown) {
      this.#far.say({ kind: 'closed', error: replicaError(thrown) });
    }
    this.#far.leave();
  }
}

/** Channel to a replica thread. It never terminates a thread: an abandoned thread exits by itself or never. */
import type { Worker } from 'node:worker_threads';
import type { ChannelListener, ReplicaChannel } from '../replica/replica-channel.js';
import { isFromReplica, type ToReplica } from '../replica/replica-protocol.js';
import { postTensors } from './movable-tensors.js';

export class ThreadChannel implements ReplicaChannel {
  readonly keepsTensors = false;
  readonly #worker: Worker;
  #listener: ChannelListener | undefined;
  #thrown: unknown;
  readonly #onAbandon: (worker: Worker) => void;

  constructor(worker: Worker, onAbandon: (worker: Worker) => void) {
    this.#worker = worker;
    this.#onAbandon = onAbandon;
  }

  listen(listener: ChannelListener): void {
    this.#listener = listener;
    this.#worker.on('message', (message: unknown) => {
      if (isFromReplica(message)) this.#listener?.received(message);
      else this.#listener?.garbled('its module posted a message to the server');
    });
    this.#worker.on('error', (error) => {
      this.#thrown = error;
    });
    this.#worker.on('messageerror', (error) =>
      this.#listener?.garbled(`its answer could not be read: ${error.message}`),
    );
    this.#worker.once('exit', (exitCode) => {
      const thrown = this.#thrown instanceof Error ? this.#thrown.message : undefined;
      this.#end(thrown ?? `its thread ended with exit code ${exitCode}`);
    });
  }

  send(message: ToReplica): void {
    if (message.kind === 'run') {
      postTensors(this.#worker, message.batch, (batch): ToReplica => ({ kind: 'run', batch }));
    } else this.#worker.postMessage(message);
  }

  abandon(): void {
    this.#onAbandon(this.#worker);
    this.#worker.unref();
    this.#worker.postMessage({ kind: 'close' } satisfies ToReplica);
    this.#end('its thread was given up');
  }

  #end(reason: string): void {
    const listener = this.#listener;
    this.#listener = undefined;
    listener?.ended(reason);
  }
}

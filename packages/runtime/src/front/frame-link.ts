/**
 * One end of the socket between a front process and the main process. What is said within one turn of the event loop leaves in one system
 * call, because small requests would otherwise cost the main process a call each.
 */
import type { Duplex } from 'node:stream';
import type { TensorMap } from '@equipoise/core/model';

/** A message: its body, which is JSON, and tensors beside it. */
export interface TensorFrame {
  readonly body: Readonly<Record<string, unknown>>;
  readonly tensors: readonly TensorMap[];
}

/** How a message becomes bytes and comes out of them again. Tensors that were read have buffers of their own. */
export interface TensorFrames {
  /** The chunks of a message in their order; nobody may change the tensors before they are written. */
  frameOf(body: object, tensors: readonly TensorMap[]): readonly Uint8Array[];
  /** `push` takes the next bytes, calls back for every message that they complete and throws an Error where they are none. */
  reader(onFrame: (frame: TensorFrame) => void): { push(chunk: Uint8Array): void };
}

/** What a link tells; nothing is told after `ended`. */
export interface LinkListener {
  received(frame: TensorFrame): void;
  /** The other end is gone, or said what cannot be read. */
  ended(reason: string): void;
}

/** Sends and receives messages. */
export class FrameLink {
  readonly #socket: Duplex;
  readonly #frames: TensorFrames;
  #listener: LinkListener | undefined;
  #corked = false;

  constructor(socket: Duplex, frames: TensorFrames, listener: LinkListener) {
    this.#socket = socket;
    this.#frames = frames;
    this.#listener = listener;
    const reader = frames.reader((frame) => this.#listener?.received(frame));
    socket.on('data', (chunk: Uint8Array) => {
      try {
        reader.push(chunk);
      } catch (error) {
        this.#end(`it said what cannot be read: ${error instanceof Error ? error.message : String(error)}`);
      }
    });
    socket.on('error', () => {});
    socket.once('close', () => this.#end('its socket was closed'));
  }

  /** Bytes that wait for the other end. */
  get unsentBytes(): number {
    return this.#socket.writableLength;
  }

  /** Says something; to an end that is gone it is forgotten. */
  send(body: object, tensors: readonly TensorMap[] = []): void {
    if (this.#socket.destroyed || this.#socket.writableEnded) return;
    if (!this.#corked) {
      this.#corked = true;
      this.#socket.cork();
      setImmediate(() => {
        this.#corked = false;
        this.#socket.uncork();
      });
    }
    for (const chunk of this.#frames.frameOf(body, tensors)) this.#socket.write(chunk);
  }

  /** Resolves when all that was said has left; nothing is said after it. */
  finish(): Promise<void> {
    return new Promise((resolve) => {
      this.#socket.once('close', () => resolve());
      this.#socket.end(() => resolve());
    });
  }

  /** Closes it and tells nothing more. */
  destroy(): void {
    this.#listener = undefined;
    this.#socket.destroy();
  }

  #end(reason: string): void {
    const listener = this.#listener;
    this.destroy();
    listener?.ended(reason);
  }
}

/**
 * Channel to a replica process: frames over a Unix socket, descriptor 3 of the child. Kills the process group when the
 * replica is abandoned or exits, on unreadable data, or if the socket closes first.
 */
import type { ChildProcess } from 'node:child_process';
import { readFileSync } from 'node:fs';
import type { Socket } from 'node:net';
import type { ChannelListener, ReplicaChannel } from '../replica/replica-channel.js';
import type { ToReplica } from '../replica/replica-protocol.js';
import type { BoundedOutput } from './bounded-output.js';
import { FrameReader } from './frame.js';
import { framesToReplica, messageFromReplica } from './message-frames.js';

const patienceMs = { output: 200, end: 1_000 };

export interface ReplicaChild {
  readonly child: ChildProcess;
  readonly socket: Socket;
  readonly output: BoundedOutput;
}

/** ReplicaChannel to the leader of a process group. */
export class ProcessChannel implements ReplicaChannel {
  /** Writing copies the data. */
  readonly keepsTensors = true;
  readonly #child: ChildProcess;
  readonly #socket: Socket;
  readonly #output: BoundedOutput;
  #listener: ChannelListener | undefined;
  #exited = false;

  constructor({ child, socket, output }: ReplicaChild) {
    this.#child = child;
    this.#socket = socket;
    this.#output = output;
  }

  listen(listener: ChannelListener): void {
    this.#listener = listener;
    this.#read();
    // A broken socket means that the process is gone; its exit event has the reason.
    this.#socket.on('error', () => {});
    this.#socket.once('close', () => {
      if (!this.#exited) setTimeout(() => this.#kill(), patienceMs.end).unref();
    });
    this.#child.once('exit', (exitCode, signal) => {
      this.#exited = true;
      this.#killGroup();
      const how = signal === null ? `ended with exit code ${exitCode}` : `was ended by ${signal}`;
      const end = (): void => this.#end(`its process ${how}${this.#output.lastWords()}`);
      const timeout = setTimeout(end, patienceMs.output);
      this.#child.once('close', () => {
        clearTimeout(timeout);
        end();
      });
    });
  }

  send(message: ToReplica): void {
    if (this.#socket.destroyed) return;
    this.#socket.cork();
    for (const chunk of framesToReplica(message)) this.#socket.write(chunk);
    this.#socket.uncork();
  }

  abandon(): void {
    this.#kill();
  }

  readonly residentBytes = (): number | undefined => {
    try {
      const [, kib] = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${this.#child.pid}/status`, 'utf8')) ?? [];
      return kib === undefined ? undefined : Number(kib) * 1024;
    } catch {
      // The process is gone, or the system lacks this file.
      return undefined;
    }
  };

  #read(): void {
    const reader = new FrameReader((frame) => this.#listener?.received(messageFromReplica(frame)));
    this.#socket.on('data', (chunk: Uint8Array) => {
      try {
        reader.push(chunk);
      } catch (error) {
        this.#socket.removeAllListeners('data');
        this.#socket.resume();
        this.#listener?.garbled(`its answer could not be read: found ${(error as Error).message}`);
      }
    });
  }

  #kill(): void {
    if (!this.#exited) this.#killGroup();
  }

  #killGroup(): void {
    const { pid } = this.#child;
    if (pid === undefined) return;
    try {
      process.kill(-pid, 'SIGKILL');
    } catch {
      // The process group has ended.
    }
  }

  #end(reason: string): void {
    const listener = this.#listener;
    this.#listener = undefined;
    this.#socket.destroy();
    listener?.ended(reason);
  }
}

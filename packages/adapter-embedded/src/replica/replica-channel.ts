/** Channel from a replica's near end to its far end, a thread or a process. */
import type { FromReplica, ToReplica } from './replica-protocol.js';

export interface ChannelListener {
  received(message: FromReplica): void;
  /** Called for an unreadable answer. The message appends `problem` to the replica's name and "lost a replica: ". */
  garbled(problem: string): void;
  /** Called once, as the last event; `reason` is used like `problem`. */
  ended(reason: string): void;
}

export interface ReplicaChannel {
  /** Sets the only listener; nothing is reported earlier. */
  listen(listener: ChannelListener): void;
  /** Moves the tensors of the message (see `keepsTensors`). Drops it if the far end is gone. */
  send(message: ToReplica): void;
  /**
   * Abandons a far end that hangs or is not trusted; `ended` follows. Kills a process. A thread is asked to close and
   * no longer keeps this process alive.
   */
  abandon(): void;
  /** False if sending a batch takes over its tensors. */
  readonly keepsTensors: boolean;
  /** Resident memory; undefined without a separate process, or if the system does not report it. */
  readonly residentBytes?: () => number | undefined;
}

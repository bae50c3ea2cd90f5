/** Channel from a replica's near end to its far end, a thread or a process. */
import type { FromReplica, ToReplica } from './replica-protocol.js';

export interface ChannelListener {
  received(message: FromReplica): void;
  /** An unreadable answer arrived; `problem` follows the replica's name and "lost a replica: ". */
  garbled(problem: string): void;
  /** Called once and last; `reason` is used like `problem`. */
  ended(reason: string): void;
}

export interface ReplicaChannel {
  /** Sets the one listener; nothing is reported before. */
  listen(listener: ChannelListener): void;
  /** Moves the tensors of the message (see `keepsTensors`). Drops it if the far end is gone. */
  send(message: ToReplica): void;
  /**
   * Abandons a far end that hangs or is not trusted; `ended` follows. Kills a process. A thread is asked to close and
   * no longer keeps this process alive.
   */
  abandon(): void;
  /** False if sending a batch empties its tensors. */
  readonly keepsTensors: boolean;
  /** Undefined without a separate process, or if the system does not tell. */
  readonly residentBytes?: () => number | undefined;
}
